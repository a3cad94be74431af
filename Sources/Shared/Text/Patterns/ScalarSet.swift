/// A set of Unicode scalars, as a character class of a pattern describes it.
struct ScalarSet: Sendable, Equatable {
    /// Which of the first 128 scalars belong to it.
    private(set) var low: UInt64 = 0
    private(set) var high: UInt64 = 0
    /// Which kinds beyond them belong to it; see `ScalarKinds`.
    private(set) var kinds: UInt64 = 0
    /// Further scalars beyond the first 128.
    private(set) var ranges: [ClosedRange<UInt32>] = []
    private(set) var isNegated = false

    /// A scalar and, without regard to case, what folds to the same.
    init(_ scalar: Unicode.Scalar, ignoringCase: Bool) {
        insert(scalar.value...scalar.value, ignoringCase: ignoringCase)
    }

    /// Every scalar of `kinds`.
    init(kinds: UInt64) { insert(kinds: kinds) }

    init() {}

    /// Everything that does not belong to it.
    func negated() -> ScalarSet {
        var set = self
        set.low = ~low
        set.high = ~high
        set.isNegated.toggle()
        return set
    }

    @inline(__always)
    func contains(_ scalar: UInt32) -> Bool {
        if scalar < 64 { return low >> UInt64(scalar) & 1 == 1 }
        if scalar < 128 { return high >> UInt64(scalar & 63) & 1 == 1 }
        return containsFar(scalar)
    }

    private func containsFar(_ scalar: UInt32) -> Bool {
        if kinds >> UInt64(ScalarKinds.kind(scalar)) & 1 == 1 { return !isNegated }
        for range in ranges where range.contains(scalar) { return !isNegated }
        return isNegated
    }

    /// Whether a scalar beyond the first 128 may belong to it.
    var reachesBeyondASCII: Bool { isNegated || kinds != 0 || !ranges.isEmpty }

    /// Adds all scalars of `kinds`; only to a set that is not negated.
    mutating func insert(kinds added: UInt64) {
        for scalar in UInt32(0)..<128
        where added >> UInt64(ScalarKinds.kind(scalar)) & 1 == 1 {
            insert(ascii: scalar)
        }
        kinds |= added
    }

    /// Adds a range; only to a set that is not negated.
    mutating func insert(_ range: ClosedRange<UInt32>, ignoringCase: Bool) {
        for scalar in range.lowerBound...min(range.upperBound, max(127, range.lowerBound))
        where scalar < 128 {
            insert(ascii: scalar)
        }
        if range.upperBound >= 128 { ranges.append(max(range.lowerBound, 128)...range.upperBound) }
        // Folding matters for letters that patterns spell out, not for whole scripts.
        guard ignoringCase, range.count <= 1024 else { return }
        for scalar in range.compactMap({ Unicode.Scalar($0) }) {
            for other in Self.caseVariants(of: scalar) where other != scalar {
                insert(other.value...other.value, ignoringCase: false)
            }
        }
    }

    /// Adds another set; both must not be negated, or the other must be alone in this one.
    ///
    /// - Returns: false if the union cannot be expressed
    mutating func formUnion(_ other: ScalarSet) -> Bool {
        if other.isNegated {
            // What is left out must then be in this set for the union to differ from `other`.
            guard self == ScalarSet() else { return false }
            self = other
            return true
        }
        guard !isNegated else { return false }
        low |= other.low
        high |= other.high
        kinds |= other.kinds
        ranges += other.ranges
        return true
    }

    private mutating func insert(ascii scalar: UInt32) {
        if scalar < 64 { low |= 1 << UInt64(scalar) } else { high |= 1 << UInt64(scalar - 64) }
    }

    /// The scalars that case folding does not tell apart from `scalar`.
    private static func caseVariants(of scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        let mapped = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
            .compactMap { $0.unicodeScalars.count == 1 ? $0.unicodeScalars.first : nil }
        // Letters that fold to ASCII from elsewhere: long s and the Kelvin sign.
        let distant: [Unicode.Scalar: Unicode.Scalar] = ["s": "\u{17f}", "k": "\u{212a}"]
        return mapped + mapped.compactMap { distant[$0] }
    }
}
