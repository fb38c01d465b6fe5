//
// RegexClassName.swift: the names a regular expression may write in \p{…}, and what RE2 calls them.
//
// Go's regexp/syntax (since Go 1.25) looks names up without regard to case, spaces, underscores and hyphens, and takes
// the long names of general categories as aliases. RE2 knows only the short categories and the exact script names.
//

/// A Unicode class as RE2 can be told of it.
enum RegexClassName {
    /// A name of RE2's own, to be put into `\p{…}`.
    case named(String)
    /// A union of classes, written as the inside of a bracket expression, with its complement where one can be written.
    case union(String, complement: String?)

    /// Looks up what stands between the braces, without a leading `^`. Nil: no such class.
    init?(_ name: some StringProtocol) {
        switch Self.folded(name) {
        case "ascii": self = .union(#"\x00-\x7F"#, complement: #"\x{80}-\x{10FFFF}"#)
        case "assigned": self = .union(Self.assigned, complement: nil)
        case "lc", "casedletter": self = .union(#"\p{Lu}\p{Ll}\p{Lt}"#, complement: nil)
        case let folded:
            guard let known = Self.names[folded] else { return nil }
            self = .named(known)
        }
    }

    /// Every class of assigned code points; what is left out is Cn.
    static let assigned = #"\pL\pM\pN\pP\pS\pZ\pC"#

    /// Whether the name is that of the unassigned code points: the complement of ``assigned``.
    static func isUnassigned(_ name: some StringProtocol) -> Bool {
        let folded = folded(name)
        return folded == "cn" || folded == "unassigned"
    }

    private static func folded(_ name: some StringProtocol) -> String {
        name.lowercased().filter { $0 != "_" && $0 != " " && $0 != "-" }
    }

    private static let names: [String: String] = {
        var names: [String: String] = ["any": "Any"]
        for script in scripts.split(whereSeparator: \.isWhitespace) { names[folded(script)] = String(script) }
        for line in categories.split(separator: "\n") {
            let words = line.split(separator: " ")
            for word in words { names[folded(word)] = String(words[0]) }
        }
        return names
    }()

    private static let categories = """
        C Other
        Cc Control cntrl
        Cf Format
        Co Private_Use
        Cs Surrogate
        L Letter
        Ll Lowercase_Letter
        Lm Modifier_Letter
        Lo Other_Letter
        Lt Titlecase_Letter
        Lu Uppercase_Letter
        M Mark Combining_Mark
        Mc Spacing_Mark
        Me Enclosing_Mark
        Mn Nonspacing_Mark
        N Number
        Nd Decimal_Number digit
        Nl Letter_Number
        No Other_Number
        P Punctuation punct
        Pc Connector_Punctuation
        Pd Dash_Punctuation
        Pe Close_Punctuation
        Pf Final_Punctuation
        Pi Initial_Punctuation
        Po Other_Punctuation
        Ps Open_Punctuation
        S Symbol
        Sc Currency_Symbol
        Sk Modifier_Symbol
        Sm Math_Symbol
        So Other_Symbol
        Z Separator
        Zl Line_Separator
        Zp Paragraph_Separator
        Zs Space_Separator
        """

    /// The scripts of Unicode 15, which is RE2's table and, give or take a release, Go's.
    private static let scripts = """
        Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali Bhaiksuki
        Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee
        Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra
        Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati
        Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited
        Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi
        Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian
        Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui
        Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar Nabataean Nag_Mundari
        Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki Old_Hungarian Old_Italic
        Old_North_Arabian Old_Permic Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage
        Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan
        Saurashtra Sharada Shavian Siddham SignWriting Sinhala Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac
        Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh
        Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square
        """
}
