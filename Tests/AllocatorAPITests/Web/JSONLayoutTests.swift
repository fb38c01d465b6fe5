//
// JSONLayoutTests.swift
//

import Testing

@testable import AllocatorAPI

@Suite struct JSONLayoutTests {
    @Test func membersAreIndentedAndNamed() {
        let text = #"{"a\"\\\u003c":{"x":[1,{"y":"z,:{}"}],"e":{},"l":[]},"b":"s","c":1.5}"#
        let members = JSONLayout.members(of: Array(text.utf8))
        #expect(members.map(\.name) == [#"a"\<"#, "b", "c"])
        #expect(
            members.first?.text == """
                {
                  "x": [
                    1,
                    {
                      "y": "z,:{}"
                    }
                  ],
                  "e": {},
                  "l": []
                }
                """)
        #expect(members.dropFirst().map(\.text) == ["\"s\"", "1.5"])
        #expect(JSONLayout.members(of: Array("{}".utf8)).isEmpty)
    }
}
