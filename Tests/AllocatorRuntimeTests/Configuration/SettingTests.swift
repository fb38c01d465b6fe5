import AllocatorRuntime
import Testing

/// Goal: the settings table keeps its promises to whoever reads only the README.
@Suite struct SettingTests {
    @Test("Every setting of ours has a flag and a variable, and no two share one")
    func names() {
        for setting in Setting.allCases where setting.isOurs {
            #expect(setting.row.flag != nil, "\(setting.rawValue)")
            #expect(setting.row.environment.first?.hasPrefix("TARGET_LEDGER_") == true, "\(setting.rawValue)")
        }
        let flags = Setting.allCases.compactMap(\.row.flag)
        #expect(Set(flags).count == flags.count)
        let variables = Setting.allCases.flatMap(\.row.environment)
        #expect(Set(variables).count == variables.count)
        #expect(Setting.leaseTimeToLive.row.flag == "lease-ttl")
        #expect(Setting.leaseTimeToLive.row.environment == ["TARGET_LEDGER_LEASE_TTL"])
    }

    @Test("The table has a line for every setting")
    func table() {
        let table = Setting.markdownTable
        for setting in Setting.allCases { #expect(table.contains("`\(setting.rawValue)`")) }
    }
}
