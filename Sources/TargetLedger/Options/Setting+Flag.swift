//
// Setting+Flag.swift: the settings table as the command line parser wants it.
//

import AllocatorRuntime
import ArgumentParser

extension NameSpecification {
    /// The flag of a setting.
    static func setting(_ setting: Setting) -> NameSpecification {
        guard let flag = setting.row.flag else { preconditionFailure("\(setting.rawValue) has no flag") }
        return .customLong(flag)
    }
}

extension ArgumentHelp {
    /// What the table says of a setting.
    static func setting(_ setting: Setting) -> ArgumentHelp {
        let row = setting.row
        var text = row.meaning
        if case .notYet = row.support { text += " (not supported yet)" }
        if !row.initial.isEmpty { text += " (default: \(row.initial))" }
        return ArgumentHelp(stringLiteral: text)
    }
}
