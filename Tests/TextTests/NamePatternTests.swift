import Testing

@testable import Text

struct NamePatternTests {
    private static let name = "model.language_model.layers.12.self_attn.q_proj"

    @Test(arguments: [
        (".*language_model.*\\.(self_attn\\.(q_proj|k_proj)|mlp\\.up_proj)", true),
        ("(?:a|model)\\..*", true), ("model", false), (".*_pro", false), ("q_proj", false),
        ("(.*\\.)?(q_proj)", true), ("(.*\\.)?(proj)", false), ("model|.*proj|x", true),
        ("(?!.*visual).*q_proj", true), ("(?!.*language).*q_proj", false),
        (".*?\\.layers\\.\\d{1,}\\..*\\bself_attn\\b.*", true), (".*\\bself\\b.*", false),
        (".*sel\\Bf_attn.*", true), ("\\bmodel\\b.*proj\\b", true), ("^model.*$", true),
        ("", false),
    ])
    func theWholeNameMatches(pattern: String, expected: Bool) throws {
        #expect(try NamePattern(pattern).matches(Self.name) == expected, "\(pattern)")
    }

    @Test(arguments: ["(", "a)", "*", "[", "(?<name>a)", "(?<=a)b", "a{2,1}", "\\1", "(a)*+*"])
    func whatIsNotSupportedIsAnError(pattern: String) {
        #expect(throws: NamePattern.Fault.self) { try NamePattern(pattern) }
    }

    @Test func aHostilePatternEnds() throws {
        let pattern = try NamePattern("(?:a|aa|aaa)+(?:a|aa)+(?:a|aa)+b")
        #expect(throws: NamePattern.Fault.tooSlow(stepsMax: 150_000)) {
            try pattern.matches(String(repeating: "a", count: 100))
        }
    }
}
