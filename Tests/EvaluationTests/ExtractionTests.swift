import Base
import Evaluation
import Quality
import Testing

@Suite struct ExtractionTests {
    private let rules: ExtractionRules

    init() throws {
        rules = ExtractionRules(
            fields: [
                FieldRule(pointer: "/total", form: .money), FieldRule(pointer: "/day", form: .date),
                FieldRule(pointer: "/length", form: .quantity),
                FieldRule(pointer: "/lines/*/amount", form: .number, tolerance: 0.01),
            ],
            boxes: ["/box": .corners, "/parts/*/box": .originAndSize],
            schema: try AnswerSchema(
                """
                {"type": "object", "required": ["total"],
                 "properties": {"total": {"type": "string"}}}
                """
            ))
    }

    private func row(_ expected: String, _ answer: String) -> ExtractedRow {
        ExtractedRow(expected: expected, answer: answer, rules: rules)
    }

    @Test func valuesAreComparedAfterNormalising() {
        let row = row(
            #"{"total": "1,200.50 EUR", "day": "2024-03-01", "length": "1.2 m"}"#,
            #"{"day": "01.03.2024", "total": "€1200.5", "length": "120 cm"}"#)
        #expect(row.isExact)
        #expect(row.score == 1)
        #expect(row.isBare)
        #expect(row.isSchemaValid == true)
    }

    @Test func wrongMissingAndInventedValuesAreToldApart() throws {
        let row = row(
            #"{"total": "5", "day": "2024-03-01", "name": "x", "note": null}"#,
            #"{"total": "6", "name": null, "day": "2024-03-01", "note": "y"}"#)
        #expect(row.wrongPointers == ["/name", "/note", "/total"])
        #expect(row.inventedPointers == ["/note"])
        #expect(row.fields["/name"]?.missing == 1)
        #expect(row.fields["/total"]?.missing == 0)
        #expect(row.fields["/note"]?.invented == 1)
        #expect(row.score == 0.25)
        #expect(!row.isExact)
    }

    @Test func fieldsOfListsAreRightIfAllElementsAre() throws {
        let truth = #"{"lines": [{"amount": 1}, {"amount": 2.5}]}"#
        let right = row(truth, #"{"lines": [{"amount": "1.00"}, {"amount": 2.505}]}"#)
        let short = row(truth, #"{"lines": [{"amount": 1}]}"#)
        let long = row(truth, #"{"lines": [{"amount": 1}, {"amount": 2.5}, {"amount": 4}]}"#)
        let report = ExtractionReport(
            [right, short, long], bootstrap: try Bootstrap(key: RandomKey(seed: 1), draws: 100))
        let line = try #require(report.fields.first)
        #expect(report.fields.map(\.pointer) == ["/lines/*/amount"])
        #expect([line.accuracy.successes, line.accuracy.trials] == [1, 3])
        #expect([line.missing.successes, line.invented.successes] == [1, 1])
        #expect(report.exactRows.successes == 1)
        #expect(report.estimates.first?.name == "field_accuracy")
    }

    @Test func elementsOfMatchedListsFindTheirOwn() {
        let truth = #"{"n": 1, "lines": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3}]}"#
        let answer = #"{"n": 1, "lines": [{"a": 9}, {"a": 3}, {"b": "y", "a": 2}]}"#
        let matched = ExtractionRules(matchedLists: ["/lines", "/other"])
        let row = ExtractedRow(expected: truth, answer: answer, rules: matched)
        #expect(row.wrongPointers == ["/lines/0/a", "/lines/0/b", "/lines/3/a"])
        #expect(row.inventedPointers == ["/lines/3/a"])
        #expect(row.fields["/lines/*/a"]?.right == 2)
        let byPlace = ExtractedRow(expected: truth, answer: answer, rules: ExtractionRules())
        #expect(byPlace.fields["/lines/*/a"]?.right == 0)
        let same = ExtractedRow(expected: truth, answer: truth, rules: matched)
        #expect(same.isExact)
    }

    @Test func emptyListsAreAsGoodAsAbsent() {
        #expect(row(#"{"a": 1, "lines": []}"#, #"{"a": 1}"#).isExact)
        #expect(row(#"{"a": 1}"#, #"{"a": 1, "lines": [], "o": {}, "n": null}"#).isExact)
        #expect(!row(#"{"a": 1}"#, #"{"a": 1, "lines": [2]}"#).isExact)
    }

    @Test func boxesAreScoredByTheirOverlap() throws {
        let close = row(#"{"box": [0, 0, 10, 10]}"#, #"{"box": [0, 0, 10, 8]}"#)
        #expect(close.fields["/box"]?.overlaps == [0.8])
        #expect(close.isExact)
        let far = row(#"{"box": [0, 0, 10, 10]}"#, #"{"box": [0, 0, 10, 4]}"#)
        #expect(far.wrongPointers == ["/box"])
        let none = row(#"{"box": [0, 0, 10, 10]}"#, "{}")
        #expect(none.fields["/box"]?.overlaps == [0])
        #expect(none.fields["/box"]?.missing == 1)
        let listed = row(
            #"{"parts": [{"box": [5, 5, 10, 10]}]}"#, #"{"parts": [{"box": [5, 5, 10, 10]}]}"#)
        #expect(listed.fields["/parts/*/box"]?.overlaps == [1])
        for broken in ["[0, 0, 10]", "[0, 0, -1, 10]", #"["a", 0, 1, 1]"#, "[0,0,1e400,1]", "7"] {
            let row = row(#"{"box": [0, 0, 10, 10]}"#, #"{"box": \#(broken)}"#)
            #expect(row.fields["/box"]?.right == 0, "\(broken)")
        }
    }

    @Test func formAndContentAreJudgedApart() {
        let truth = #"{"total": "5"}"#
        let fenced = row(truth, "Here it is:\n```json\n{\"total\": \"5\"}\n```")
        #expect(fenced.isExact)
        #expect(!fenced.isBare)
        #expect(fenced.isSchemaValid == false)
        #expect(fenced.brokenRules == [.notJSON])
        let mistyped = row(truth, #"{"total": 5}"#)
        #expect(mistyped.isBare)
        #expect(mistyped.isSchemaValid == false)
        #expect(mistyped.brokenRules == [.schemaType])
        let prose = row(truth, "The total is 5.")
        #expect(!prose.isReadable)
        #expect(prose.score == 0)
        #expect(prose.fields["/total"]?.missing == 1)
    }

    @Test func hostileAnswersScoreNothingAndCostLittle() {
        let deep = String(repeating: "[", count: 200_000)
        let hostile = [
            deep, deep + String(repeating: "]", count: 200_000),
            String(repeating: "{\"a\":", count: 100_000), "{\"total\": \"\\ud800\"}",
            "{\"total\": \"\\udc00\\ud800\"}", String(repeating: "x", count: 1_100_000),
            "[" + String(repeating: "1,", count: 30_000) + "1]", "}{", "][", "{\u{0}}",
            #"{"total": 1e999999999}"#, #"{"": {"~": {"/": 1}}}"#,
        ]
        for answer in hostile {
            let row = row(#"{"total": "5"}"#, answer)
            #expect(row.score == 0, "\(answer.prefix(20))")
            #expect(row.wrongPointers.count <= ExtractedRow.pointersMax)
        }
    }

    @Test func plainTruthsAreComparedAsText() {
        #expect(row("red", "red").isExact)
        #expect(!row("red", "blue").isExact)
        #expect(row("red", "blue").wrongPointers == [""])
    }
}
