import Quality
import Testing

@Suite struct AnswerPatternTests {
    /// As Python's `re.fullmatch` has it.
    @Test(arguments: [
        ("cat|dog", ["cat", "dog"], ["ca", "catdog", ""]),
        (
            "^[A-Z]{2}-\\d{3,4}$", ["AB-123", "AB-1234"],
            ["AB-12", "AB-12345", "ab-123", "xAB-123"]
        ),
        ("(?:a|b)*c+?", ["c", "ababcc"], ["ab", "ca"]),
        ("\\{.*\\}", ["{}", "{\"a\": 1}"], ["{", "{\n}"]),
        ("[^\\d\\s]+", ["abc", "é-!"], ["a1", "a b", ""]),
        ("x{0}y?", ["", "y"], ["x", "yy"]),
        ("[]a-]+", ["]", "a-]"], ["b", ""]),
        ("(a*)*b", ["b", "aaab"], ["aaaa"]),
        ("a\\.b", ["a.b"], ["axb"]),
    ])
    func patternsMatchAsAWhole(source: String, fits: [String], misses: [String]) throws {
        let pattern = try AnswerPattern(source)
        for text in fits { #expect(pattern.matches(text), "\(source) on '\(text)'") }
        for text in misses { #expect(!pattern.matches(text), "\(source) on '\(text)'") }
    }

    @Test(arguments: [
        "(a", "a)", "[a", "*a", "a{2", "a{3,2}", "a{1001}", "(?=a)", "\\", "\\b", "[z-a]", "a^b",
        "(a{1000}){1000}", "(((){1000}){1000}){1000}",
        String(repeating: "(", count: 100) + String(repeating: ")", count: 100),
        String(repeating: "a", count: 1_001),
    ])
    func whatCannotBeCheckedIsRefused(source: String) {
        #expect(throws: PatternError.self) { try AnswerPattern(source) }
    }

    @Test func patternsThatExplodeElsewhereAreLinearHere() throws {
        let pattern = try AnswerPattern("(a|a)*(a|a)*(a|aa)*b")
        #expect(!pattern.matches(String(repeating: "a", count: 3_000)))
    }
}
