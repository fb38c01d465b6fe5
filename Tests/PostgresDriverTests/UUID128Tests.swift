//
// UUID128Tests.swift
//

import Testing

@testable import PostgresDriver

/// Goal: a UUID is its text in both directions, and a random one is one of version 4.
@Suite struct UUID128Tests {
    @Test("A UUID is its text, in both directions")
    func text() {
        let uuid = UUID128(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        #expect(uuid.description == "01234567-89ab-cdef-fedc-ba9876543210")
        #expect(UUID128("01234567-89AB-cdef-FEDC-ba9876543210") == uuid)
    }

    @Test(
        "What is no UUID is refused",
        arguments: [
            "", "0123456789abcdeffedcba9876543210", "01234567-89ab-cdef-fedc-ba987654321",
            "01234567-89ab-cdef-fedc-ba987654321g", "0123456-789ab-cdef-fedc-ba9876543210",
        ]
    )
    func refused(text: String) {
        #expect(UUID128(text) == nil)
    }

    @Test("A random UUID has version 4 and variant 1, and differs from the next")
    func random() {
        let made = (0..<1000).map { _ in UUID128.random() }
        #expect(Set(made).count == made.count)
        #expect(made.allSatisfy { $0.high >> 12 & 0xF == 4 && $0.low >> 62 == 2 })
    }
}
