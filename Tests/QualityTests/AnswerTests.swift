import Quality
import Testing

@Suite struct AnswerTests {
    @Test(arguments: [
        (FieldForm.number, "1,234.50", "1.234,5"), (.number, "1 234,5", "1'234.50"),
        (.number, "-0", "0"), (.number, "1,234", "1234"), (.number, "1e3", "1000"),
        (.number, "0.10", "0,1"), (.text, "  Big\tCrack ", "big crack"),
        (.exact, "cafe\u{301} ", "caf\u{e9}"), (.date, "31.12.2026", "2026-12-31"),
        (.date, "12/31/2026", "Dec 31, 2026"), (.date, "3 March 2026", "20260303"),
        (.date, "2026-03-03T10:11:12Z", "2026/3/3"), (.money, "€ 12.50", "12,5 EUR"),
        (.money, "USD 1,000", "$1000.00"), (.quantity, "1.2 m", "120 cm"),
        (.quantity, "1 in", "25.4 mm"), (.quantity, "0.25 %", "0.0025"),
        (.quantity, "3 widgets", "3.0 widgets"),
    ])
    func equalValuesAreEqualInAnyNotation(form: FieldForm, one: String, other: String) {
        #expect(form.value(of: one).matches(form.value(of: other)))
    }

    @Test(arguments: [
        (FieldForm.number, "1.234", "1234"), (.number, "12", "twelve"), (.exact, "A", "a"),
        (.date, "2026-02-30", "2026-03-02"), (.money, "12 EUR", "12 USD"),
        (.quantity, "1 m", "1 s"), (.quantity, "5 °C", "5 °F"), (.text, "a b", "ab"),
    ])
    func differentValuesStayDifferent(form: FieldForm, one: String, other: String) {
        #expect(!form.value(of: one).matches(form.value(of: other)))
    }

    @Test func answersAreComparedFieldByField() {
        let rules = [
            FieldRule(pointer: "/total", form: .number, tolerance: 0.01, weight: 3),
            FieldRule(pointer: "/lines/*/amount", form: .number),
            FieldRule(pointer: "/tags", form: .unorderedList),
        ]
        let first = FlatAnswer(
            #"{"total": 10.00, "lines": [{"amount": "5,0"}], "tags": ["A", "b"], "x/y": 1}"#,
            rules: rules)
        let second = FlatAnswer(
            #"{"tags": ["b", "a"], "total": 10.01, "lines": [{"amount": 6}], "x/y": 1.0}"#,
            rules: rules)
        let found = AnswerComparison(first, second)
        let wrong = found.fields.filter { !$0.isEqual }
        #expect(wrong.map(\.pointer) == ["/lines/0/amount"])
        #expect(wrong.map(\.field) == ["/lines/*/amount"])
        #expect(found.fields.map(\.pointer).contains("/x~1y"))
        #expect(isClose(found.score, 5.0 / 6))
        #expect(!found.isEqual)
    }

    @Test func aMissingFieldIsADifferenceAndPlainTextIsOneField() {
        let found = AnswerComparison(FlatAnswer(#"{"a": 1}"#), FlatAnswer(#"{"a": 1, "b": null}"#))
        #expect(found.fields.map(\.isInBoth) == [true, false])
        #expect(found.score == 0.5)
        #expect(AnswerComparison(FlatAnswer("ok"), FlatAnswer(" ok\n")).isEqual)
        #expect(!FlatAnswer("12").isStructured)
        #expect(!FlatAnswer(String(repeating: "[", count: 500)).isStructured)
    }

    @Test func agreementIsKnownForEachField() {
        let votes = [
            RowVote(row: 1, annotator: "a", answer: #"{"n": 1, "l": [{"v": "x"}, {"v": "y"}]}"#),
            RowVote(row: 1, annotator: "b", answer: #"{"n": 1.0, "l": [{"v": "x"}]}"#),
        ]
        let tables = VoteTable.byField(votes, rules: [])
        #expect(tables.keys.sorted() == ["/l/*/v", "/n"])
        let list = tables["/l/*/v"].map { AgreementCoefficients($0).percent.value }
        #expect(list == 0.5)
        #expect(tables["/n"].map { AgreementCoefficients($0).percent.value } == 1)
    }

    private func votes(_ answers: [String]) -> [RowVote] {
        answers.enumerated().map { RowVote(row: 0, annotator: "p\($0)", answer: $1) }
    }

    @Test func majoritiesDecideAndTiesAreTalkedAbout() {
        let rule = ConsensusRule()
        #expect(rule.outcome(votes(["a"])) == .waiting(votes: 1, needed: 3))
        let majority = ConsensusOutcome.decided(answer: "a", share: 2.0 / 3, dissenters: ["p0"])
        #expect(rule.outcome(votes(["b", "a", "a"])) == majority)
        let thirds = [Double](repeating: 1 / 3, count: 3)
        let split = ConsensusOutcome.disagreement(answers: ["a", "b", "c"], shares: thirds)
        #expect(rule.outcome(votes(["c", "a", "b"])) == split)
        let tie = ConsensusRule(votesNeeded: 4).outcome(votes(["a", "a", "b", "b"]))
        #expect(tie == .disagreement(answers: ["a", "b"], shares: [0.5, 0.5]))
    }

    @Test func weightsAndFormsDecideToo() {
        let weighted = ConsensusRule(weights: ["p0": 0.9, "p1": 0.3, "p2": 0.3])
        let outcome = weighted.outcome(votes(["x", "y", "y"]))
        guard case .decided(let answer, _, let dissenters) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(answer == "x")
        #expect(dissenters == ["p1", "p2"])
        let rules = [FieldRule(pointer: "/v", form: .number)]
        let same = ConsensusRule().outcome(
            votes([#"{"v": 1}"#, #"{"v": "1.0"}"#, #"{"v": "1.0"}"#]), rules: rules)
        #expect(same == .decided(answer: #"{"v": "1.0"}"#, share: 1, dissenters: []))
    }

    @Test func goldRowsShowWhoDrifts() {
        let steady = GoldRecord((0..<300).map { $0 % 10 != 0 })
        #expect(!steady.isDrifting)
        #expect(steady.trend.count == 6)
        #expect(steady.accuracy.value == 0.9)
        let tired = GoldRecord((0..<300).map { $0 < 250 ? $0 % 10 != 0 : $0 % 3 != 0 })
        #expect(tired.isDrifting)
        #expect((tired.recent.value ?? 1) < 0.7)
        #expect(!GoldRecord([false, false]).isDrifting)
        #expect(GoldRecord([]).accuracy.value == nil)
    }

    @Test func schemaProblemsNameTheirPlace() throws {
        let schema = try AnswerSchema(
            #"{"properties": {"a/b": {"items": {"type": "string"}}}, "required": ["c"]}"#)
        let problems = schema.problems(in: #"{"a/b": ["x", 3]}"#)
        #expect(problems.map(\.pointer) == ["/c", "/a~1b/1"])
        #expect(problems.map(\.rule) == [.schemaMissing, .schemaType])
        #expect(schema.problems(in: "{").map(\.rule) == [.notJSON])
    }

    @Test func schemasThatWouldBeIgnoredAreRefused() {
        #expect(throws: SchemaError.unsupported(pointer: "/items", keyword: "pattern")) {
            try AnswerSchema(#"{"items": {"pattern": "a"}}"#)
        }
        #expect(throws: SchemaError.unresolved(pointer: "/$ref", reference: "#/$defs/x")) {
            try AnswerSchema(##"{"$ref": "#/$defs/x"}"##)
        }
        #expect(throws: SchemaError.unresolved(pointer: "/$ref", reference: "http://x")) {
            try AnswerSchema(#"{"$ref": "http://x"}"#)
        }
        #expect(throws: SchemaError.self) { try AnswerSchema("[") }
        #expect(throws: SchemaError.self) {
            try AnswerSchema(String(repeating: " ", count: 300_000))
        }
    }

    /// References that multiply would take 4^64 steps.
    @Test func aSchemaThatReferencesItselfEnds() throws {
        let schema = try AnswerSchema(
            ##"{"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"$ref": "#"}, {"$ref": "#"}]}"##)
        _ = schema.problems(in: "1")
        let deep = try AnswerSchema(##"{"allOf": [{"$ref": "#"}]}"##)
        #expect(deep.problems(in: "1").map(\.rule) == [.schemaTooDeep])
    }

    @Test func formAndVocabularyAreLinted() {
        let lint = AnswerLint(
            classes: ["no defect", "scratch", "send to human"], avoided: ["scrape": "scratch"])
        #expect(lint.problems(in: "scratch").isEmpty)
        #expect(lint.problems(in: " scratch\n").map(\.rule) == [.outerSpace, .caseVariant])
        #expect(lint.problems(in: "No  Defect").map(\.rule) == [.innerSpace, .caseVariant])
        #expect(lint.problems(in: "No_Defect").first?.suggestion == "no defect")
        #expect(lint.problems(in: "scrtach").first?.suggestion == "scratch")
        #expect(lint.problems(in: "dent").first?.suggestion == nil)
        #expect(lint.problems(in: "a scrape!").map(\.rule) == [.unknownClass, .avoidedTerm])
        #expect(lint.problems(in: "  ").map(\.rule) == [.empty])
        #expect(lint.problems(in: "scratch\u{7}").map(\.rule).contains(.controlCharacter))
        #expect(AnswerLint(bytesMax: 3).problems(in: "long").map(\.rule) == [.tooLong])
        #expect(AnswerLint().problems(in: "cafe\u{301}").map(\.rule) == [.notComposed])
    }

    @Test func spellingVariantsAndOddLengthsShowAmongAll() {
        let pairs = AnswerVariants.pairs([
            "scratch": 90, "Scratch": 3, "scrach": 2, "dent": 40, "bent": 30, "grade 1": 9,
            "grade 2": 9,
        ])
        #expect(pairs.map(\.variant) == ["Scratch", "scrach"])
        #expect(pairs.map(\.usual) == ["scratch", "scratch"])
        let usual = AnswerVariants.usualLengths(Array(repeating: 100, count: 50) + [2, 4_000])
        #expect(usual == 50...201)
        #expect(AnswerVariants.usualLengths([1, 2]) == nil)
    }
}
