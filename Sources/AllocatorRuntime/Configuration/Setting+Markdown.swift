//
// Setting+Markdown.swift: the settings table as the README shows it.
//

extension Setting {
    /// Two Markdown tables, upstream's settings and ours.
    package static var markdownTable: String {
        """
        Upstream's settings, read as upstream reads them:

        \(table(allCases.filter { !$0.isOurs }))
        Our own:

        \(table(allCases.filter(\.isOurs)))
        """
    }

    private static func table(_ settings: [Setting]) -> String {
        "| setting | flag | environment | value | default | meaning |\n| --- | --- | --- | --- | --- | --- |\n"
            + settings.map(\.markdownRow).joined()
    }

    private var markdownRow: String {
        let row = row
        let names = [
            "`\(rawValue)`", row.flag.map { "`--\($0)`" } ?? "",
            row.environment.map { "`\($0)`" }.joined(separator: ", "), row.form.name,
            row.initial.isEmpty ? "" : "`\(row.initial)`", meaningAndSupport,
        ]
        return "| " + names.joined(separator: " | ") + " |\n"
    }

    private var meaningAndSupport: String {
        switch row.support {
        case .full: row.meaning
        case .withoutEffect(let why): "\(row.meaning) (no effect: \(why))"
        case .notYet(let allowed): "\(row.meaning) (**not supported yet**; allowed: \(allowed))"
        }
    }
}
