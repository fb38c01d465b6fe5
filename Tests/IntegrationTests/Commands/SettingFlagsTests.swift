import AllocatorRuntime
import ArgumentParser
import Testing

@testable import TargetLedger

/// Goal: the command line has exactly the flags that the settings table promises.
@Suite struct SettingFlagsTests {
    @Test("Each flag of the table reaches its setting, in both spellings", arguments: Setting.allCases)
    func everyFlag(setting: Setting) throws {
        guard let flag = setting.row.flag else { return }
        #expect(try SettingFlags.parse(["--\(flag)=:1"]).given == [setting: ":1"])
        #expect(try SettingFlags.parse(["--\(flag)", ":1"]).given == [setting: ":1"])
    }

    @Test("A truth value may stand alone, also before another flag")
    func standingAlone() throws {
        for setting in Setting.allCases where setting.row.form == .boolean {
            guard let flag = setting.row.flag else { continue }
            #expect(try SettingFlags.parse(["--\(flag)"]).given == [setting: "true"])
            #expect(
                try SettingFlags.parse(["--\(flag)", "--config-file", "x"]).given == [
                    setting: "true", .configFile: "x",
                ])
        }
    }

    @Test("No other setting has a flag")
    func nothingElse() throws {
        let unflagged = Setting.allCases.filter { $0.row.flag == nil && !$0.isOurs }
        for setting in unflagged {
            #expect(throws: (any Error).self) { try SettingFlags.parse(["--\(setting.rawValue)=1"]) }
        }
    }

    @Test("Upstream's flags alone start serving")
    func defaultCommand() throws {
        let command = try App.parseAsRoot(["--config-file=/conf/targetallocator.yaml", "--listen-addr", ":8080"])
        #expect(command is Serve)
    }
}
