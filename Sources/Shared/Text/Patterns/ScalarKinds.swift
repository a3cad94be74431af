/// What patterns ask about Unicode scalars: the general category, and whether one is white space.
///
/// A kind is the category's number, plus 32 for white space, so that a set of kinds is 64 bits.
enum ScalarKinds {
    /// The kind of `scalar`.
    @inline(__always)
    static func kind(_ scalar: UInt32) -> UInt8 {
        scalar < tableCount ? table.base[Int(scalar)] : farKind(scalar)
    }

    /// Whether scalars below U+0300 or of this kind cannot change or join in composition (NFC).
    static func isInert(_ scalar: UInt32) -> Bool {
        scalar < 0x300 || !suspects.base[Int(scalar >> 3)].isSet(scalar & 7, scalar)
    }

    /// Planes 0 to 3; beyond them stand few assigned scalars.
    private static let tableCount: UInt32 = 0x40000

    private struct Table: @unchecked Sendable {
        // Written once before it is shared and never freed.
        let base: UnsafeMutablePointer<UInt8>
    }

    private static let table: Table = {
        let base = UnsafeMutablePointer<UInt8>.allocate(capacity: Int(tableCount))
        for value in 0..<tableCount { base[Int(value)] = slowKind(value) }
        return Table(base: base)
    }()

    private static let suspects: Table = {
        let base = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x11_0000 / 8)
        base.initialize(repeating: 0, count: 0x11_0000 / 8)
        for value in UInt32(0x300)..<0x11_0000 where isSuspect(value) {
            base[Int(value >> 3)] |= 1 << (value & 7)
        }
        return Table(base: base)
    }()

    /// Marks, the later letters of Hangul syllables, and what composition leaves out or replaces.
    private static func isSuspect(_ value: UInt32) -> Bool {
        if (0x40000..<0xe0000).contains(value) || value >= 0xf0000 { return false }
        guard let scalar = Unicode.Scalar(value) else { return false }
        if (0x1161...0x1175).contains(value) || (0x11a8...0x11c2).contains(value) { return true }
        let properties = scalar.properties
        switch properties.generalCategory {
        case .nonspacingMark, .spacingMark, .enclosingMark: return true
        default:
            return properties.canonicalCombiningClass != .notReordered
                || properties.isFullCompositionExclusion
        }
    }

    private static func farKind(_ value: UInt32) -> UInt8 {
        if value >= 0xf0000 { return index(.privateUse) }
        return value >= 0xe0000 ? slowKind(value) : index(.unassigned)
    }

    private static func slowKind(_ value: UInt32) -> UInt8 {
        guard let scalar = Unicode.Scalar(value) else { return index(.surrogate) }
        let category = index(scalar.properties.generalCategory)
        return scalar.properties.isWhitespace ? category | 32 : category
    }

    /// The two-letter names of general categories, by their numbers here.
    static let names = [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
    ]

    private static let categories: [Unicode.GeneralCategory] = [
        .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
        .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber,
        .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
        .initialPunctuation, .finalPunctuation, .otherPunctuation, .mathSymbol, .currencySymbol,
        .modifierSymbol, .otherSymbol, .spaceSeparator, .lineSeparator, .paragraphSeparator,
        .control, .format, .surrogate, .privateUse, .unassigned,
    ]

    private static let numbers: [Unicode.GeneralCategory: UInt8] = Dictionary(
        uniqueKeysWithValues: zip(categories, 0..<UInt8(categories.count)))

    private static func index(_ category: Unicode.GeneralCategory) -> UInt8 {
        numbers[category] ?? 29
    }

    /// The kinds of all categories whose name starts with `prefix`, such as `L` or `Lu`; nil if
    /// there is no such category.
    static func kinds(ofCategory prefix: String) -> UInt64? {
        let kinds = names.indices.filter { names[$0].hasPrefix(prefix) }
            .reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        return kinds == 0 || prefix.isEmpty ? nil : kinds | kinds << 32
    }

    /// All kinds of white space.
    static let whitespace: UInt64 = 0xffff_ffff_0000_0000
}

extension UInt8 {
    @inline(__always)
    fileprivate func isSet(_ bit: UInt32, _ scalar: UInt32) -> Bool {
        scalar < 0x11_0000 && self >> UInt8(bit) & 1 == 1
    }
}

/// Reading scalars out of UTF-8 that is known to be valid.
enum UTF8Scalars {
    /// The scalar at `position` and the position after it.
    @inline(__always)
    static func next(_ text: UnsafePointer<UInt8>, _ position: Int) -> (scalar: UInt32, end: Int) {
        let lead = UInt32(text[position])
        if lead < 0x80 { return (lead, position + 1) }
        let second = UInt32(text[position + 1] & 0x3f)
        if lead < 0xe0 { return ((lead & 0x1f) << 6 | second, position + 2) }
        let third = UInt32(text[position + 2] & 0x3f)
        if lead < 0xf0 { return ((lead & 0x0f) << 12 | second << 6 | third, position + 3) }
        let fourth = UInt32(text[position + 3] & 0x3f)
        let high = (lead & 0x07) << 18 | second << 12
        return (high | third << 6 | fourth, position + 4)
    }

    /// The start of the scalar that ends before `position`.
    @inline(__always)
    static func start(before position: Int, in text: UnsafePointer<UInt8>) -> Int {
        var start = position - 1
        while start > 0, text[start] & 0xc0 == 0x80 { start -= 1 }
        return start
    }

    /// How many bytes a scalar takes that starts with `lead`.
    @inline(__always)
    static func width(_ lead: UInt8) -> Int {
        lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    }
}
