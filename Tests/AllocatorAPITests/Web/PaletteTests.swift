import Foundation
import Testing

@testable import AllocatorAPI

/// Goal: everything can be read in both appearances.
///
/// Method: WCAG 2.2's contrast ratio (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio) of every pair of colours that the
/// style sheet puts upon each other.
@Suite struct PaletteTests {
    private static let appearances: [(name: String, palette: Palette)] = [("light", .light), ("dark", .dark)]

    private static let texts: [(ColourRole, on: [ColourRole])] = [
        (.text, [.page, .surface, .stripe, .accentSurface, .warningSurface, .badSurface]),
        (.muted, [.page, .surface, .stripe, .accentSurface]), (.accent, [.page, .surface, .stripe, .accentSurface]),
        (.good, [.goodSurface, .surface, .stripe, .accentSurface]), (.warning, [.warningSurface]),
        (.bad, [.badSurface, .surface, .stripe, .accentSurface]), (.special, [.specialSurface]),
    ]

    private static let shapes: [(ColourRole, on: [ColourRole])] = [
        (.focus, [.page, .surface, .stripe, .accentSurface]), (.bar, [.surface, .stripe]), (.bad, [.stripe]),
        (.good, [.surface, .stripe]), (.special, [.surface]), (.muted, [.page]), (.accent, [.accentSurface]),
    ]

    @Test("Texts have a ratio of 4.5 or more to what they stand on", arguments: appearances.map(\.name))
    func textContrast(name: String) throws {
        let palette = try #require(Self.appearances.first { $0.name == name }).palette
        for (text, surfaces) in Self.texts {
            for surface in surfaces {
                let ratio = Self.ratio(palette[text], palette[surface])
                #expect(ratio >= 4.5, "\(text) on \(surface): \(ratio)")
            }
        }
    }

    @Test("Shapes and focus rings have a ratio of 3 or more", arguments: appearances.map(\.name))
    func shapeContrast(name: String) throws {
        let palette = try #require(Self.appearances.first { $0.name == name }).palette
        for (shape, surfaces) in Self.shapes {
            for surface in surfaces {
                let ratio = Self.ratio(palette[shape], palette[surface])
                #expect(ratio >= 3, "\(shape) on \(surface): \(ratio)")
            }
        }
    }

    @Test("The measure is WCAG's")
    func measure() {
        #expect(abs(Self.ratio(Colour(0x000000), Colour(0xFFFFFF)) - 21) < 0.01)
        #expect(abs(Self.ratio(Colour(0x777777), Colour(0xFFFFFF)) - 4.48) < 0.01)
        #expect(Colour(0x00AB0C).css == "#00ab0c")
    }

    private static func ratio(_ a: Colour, _ b: Colour) -> Double {
        let (first, second) = (luminance(a), luminance(b))
        return (max(first, second) + 0.05) / (min(first, second) + 0.05)
    }

    private static func luminance(_ colour: Colour) -> Double {
        let channels = [16, 8, 0].map { shift -> Double in
            let value = Double(colour.hexadecimal >> UInt32(shift) & 0xFF) / 255
            return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]
    }
}
