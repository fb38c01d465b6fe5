//
// Palette.swift: the colours of the pages, in light and in dark, by what they stand for.
//
// Texts keep WCAG 2's ratio of 4.5 to what they stand on, drawings and focus rings that of 3; PaletteTests computes it.
//

/// A colour without transparency.
struct Colour: Sendable, Hashable {
    let hexadecimal: UInt32

    init(_ hexadecimal: UInt32) { self.hexadecimal = hexadecimal }

    var css: String {
        let digits = String(hexadecimal, radix: 16)
        return "#" + String(repeating: "0", count: 6 - digits.count) + digits
    }
}

/// What a colour is for.
enum ColourRole: String, Sendable, CaseIterable {
    case page, surface, stripe, line, text, muted, accent, focus, bar
    case accentSurface = "accent-surface"
    case good
    case goodSurface = "good-surface"
    case warning
    case warningSurface = "warning-surface"
    case bad
    case badSurface = "bad-surface"
    case special
    case specialSurface = "special-surface"
}

/// All colours of one appearance.
struct Palette: Sendable {
    let colours: [ColourRole: Colour]

    subscript(role: ColourRole) -> Colour {
        guard let colour = colours[role] else { preconditionFailure("no colour for \(role)") }
        return colour
    }

    /// Definitions of the style sheet's variables.
    var css: String { ColourRole.allCases.map { "--\($0.rawValue):\(self[$0].css)" }.joined(separator: ";") }

    static let light = Palette(colours: [
        .page: Colour(0xF5F6F8), .surface: Colour(0xFFFFFF), .stripe: Colour(0xF5F7FA), .line: Colour(0xD3D9E2),
        .text: Colour(0x1B2230), .muted: Colour(0x566072), .accent: Colour(0x1A55BF),
        .accentSurface: Colour(0xE6EEFC), .focus: Colour(0xB45309), .bar: Colour(0x3F7AE0),
        .good: Colour(0x176940), .goodSurface: Colour(0xE2F4E9), .warning: Colour(0x7F4D00),
        .warningSurface: Colour(0xFCF0D9), .bad: Colour(0xAF2318), .badSurface: Colour(0xFCE9E7),
        .special: Colour(0x6836B0), .specialSurface: Colour(0xF1E9FB),
    ])

    static let dark = Palette(colours: [
        .page: Colour(0x11151B), .surface: Colour(0x191E26), .stripe: Colour(0x1E242D), .line: Colour(0x343D4A),
        .text: Colour(0xE4E8EF), .muted: Colour(0xA4AEBD), .accent: Colour(0x8DB6FF),
        .accentSurface: Colour(0x1D2C47), .focus: Colour(0xF5B84B), .bar: Colour(0x5C93F5),
        .good: Colour(0x70D49C), .goodSurface: Colour(0x16301F), .warning: Colour(0xEFBB5E),
        .warningSurface: Colour(0x35280F), .bad: Colour(0xFF9F96), .badSurface: Colour(0x3E1D1B),
        .special: Colour(0xC8A8FF), .specialSurface: Colour(0x2C2140),
    ])
}
