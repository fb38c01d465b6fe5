//
// FaultKind.swift: what is done to replicas and to their database, and for how long.
//

/// One way in which something breaks.
enum FaultKind: String, CaseIterable, Sendable {
    case killLeader = "kill -9 leader"
    case killFollower = "kill -9 follower"
    case pauseLeader = "SIGSTOP leader, within lease"
    case pauseLeaderLong = "SIGSTOP leader, beyond lease"
    case pauseFollower = "SIGSTOP follower, within lease"
    case pauseFollowerLong = "SIGSTOP follower, beyond lease"
    case handOver = "SIGTERM leader"
    case restartFollower = "SIGTERM follower"
    case delay = "connection delayed"
    case drop = "connection dropped"
    case halfOpenClient = "connection half-open, server gone"
    case halfOpenServer = "connection half-open, client gone"
    case reset = "connection reset"
    case databaseKill = "PostgreSQL kill -9"
    case databaseStop = "PostgreSQL stopped"
    case databaseRestart = "PostgreSQL restarted"
    case databaseFreeze = "PostgreSQL frozen"
    case databaseReadOnly = "PostgreSQL read-only"
    case promotion = "standby promoted, commits lost"
    case poolerKill = "PgBouncer kill -9"
    case poolerPause = "PgBouncer SIGSTOP"
    case diskFull = "journal's disk full in an outage"

    /// What it happens to. At one time each of these has one fault at most.
    enum Place: Hashable, Sendable {
        case leader, follower, anyConnection, database
    }

    var place: Place {
        switch self {
        case .killLeader, .pauseLeader, .pauseLeaderLong, .handOver: .leader
        case .killFollower, .pauseFollower, .pauseFollowerLong, .restartFollower: .follower
        case .delay, .drop, .halfOpenClient, .halfOpenServer, .reset: .anyConnection
        case .databaseKill, .databaseStop, .databaseRestart, .databaseFreeze, .databaseReadOnly, .promotion,
            .poolerKill,
            .poolerPause, .diskFull:
            .database
        }
    }

    /// What it needs for itself. A journal is only begun by a leader to whom nothing else happens.
    func places(_ outage: FaultPhase.Outage) -> Set<Place> {
        switch self {
        case .databaseStop, .databaseFreeze, .diskFull:
            outage == .proceed ? [.database, .leader, .anyConnection] : [.database]
        default: [place]
        }
    }

    /// From the fault to its end, in milliseconds. The lease lasts three seconds.
    func duration(_ outage: FaultPhase.Outage) -> ClosedRange<Int> {
        switch self {
        case .killLeader, .killFollower: 100...3500
        case .pauseLeader, .pauseFollower: 300...1500
        case .pauseLeaderLong, .pauseFollowerLong: 4000...6000
        case .handOver, .restartFollower: 0...1000
        case .drop, .halfOpenClient: outage == .proceed ? 4000...9500 : 1500...5000
        case .delay, .halfOpenServer, .reset: 1000...4000
        case .databaseKill, .databaseReadOnly: 500...3500
        case .databaseStop, .databaseFreeze: outage == .proceed ? 9000...12000 : 1000...4000
        case .databaseRestart: 0...100
        case .promotion: 800...2000
        case .poolerKill, .poolerPause: 500...4000
        case .diskFull: 9500...11500
        }
    }
}

/// A part of a run: how the replicas are set up, and what happens to them.
struct FaultPhase: Sendable {
    enum Outage: String, Sendable {
        case hold
        case proceed = "continue"
    }

    let name: String
    let outage: Outage
    let strategy: String
    let isPooled: Bool
    /// How often each fault happens in a default run.
    let faults: [(kind: FaultKind, count: Int)]

    static let all = [
        FaultPhase(
            name: "hold", outage: .hold, strategy: "consistent-hashing", isPooled: false,
            faults: [
                (.killLeader, 4), (.killFollower, 4), (.pauseLeader, 2), (.pauseLeaderLong, 3), (.pauseFollower, 3),
                (.pauseFollowerLong, 2), (.handOver, 4), (.restartFollower, 3), (.delay, 3), (.drop, 3),
                (.halfOpenClient, 3), (.halfOpenServer, 2), (.reset, 3), (.databaseKill, 2), (.databaseStop, 2),
                (.databaseRestart, 2), (.databaseFreeze, 2), (.databaseReadOnly, 2), (.promotion, 2),
            ]),
        FaultPhase(
            name: "PgBouncer", outage: .hold, strategy: "sticky", isPooled: true,
            faults: [
                (.killLeader, 2), (.killFollower, 2), (.pauseLeader, 1), (.pauseLeaderLong, 2), (.handOver, 2),
                (.delay, 2), (.drop, 2), (.halfOpenClient, 2), (.halfOpenServer, 1), (.reset, 2), (.poolerKill, 4),
                (.poolerPause, 4), (.databaseKill, 1), (.databaseRestart, 1),
            ]),
        FaultPhase(
            name: "continue", outage: .proceed, strategy: "least-weighted", isPooled: false,
            faults: [
                (.killLeader, 3), (.killFollower, 2), (.pauseLeaderLong, 2), (.pauseFollower, 2), (.handOver, 2),
                (.drop, 3), (.halfOpenClient, 2), (.halfOpenServer, 2), (.reset, 2), (.delay, 2), (.databaseStop, 2),
                (.databaseKill, 1), (.databaseFreeze, 1), (.diskFull, 3), (.promotion, 2),
            ]),
    ]
}
