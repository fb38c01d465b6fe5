//
// ShareBar.swift: a number as a bar beside the numbers that it is compared with.
//

/// A bar; the number itself stands beside it, so readers of the page's text lose nothing.
struct ShareBar: Sendable, Hashable {
    /// From 0 to 1.
    let share: Double

    init(_ value: Double, of most: Double) {
        share = most > 0 ? min(max(value / most, 0), 1) : 0
    }

    var html: HTML {
        Tag.svg(.class("share"), .viewBox(width: 100, height: 8), .ariaHidden) {
            Tag.rect(.class("track"), .x(0), .y(0), .width(100), .height(8), .cornerRadius(2))
            if share > 0 {
                Tag.rect(
                    .class("held"), .x(0), .y(0), .width(max(1, share * 100)), .height(8), .cornerRadius(2))
            }
        }
    }
}
