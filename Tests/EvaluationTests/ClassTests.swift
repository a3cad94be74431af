import Base
import Evaluation
import Quality
import Testing

@Suite struct ClassTests {
    private let reader: ClassReader

    init() throws {
        reader = try ClassReader(
            classes: ["scratch", "no damage", "damage", "Glass-Break"], abstentions: ["unsure"])
    }

    private func label(_ answer: String) -> String? {
        let label = reader.label(of: answer)
        return label == reader.outside ? nil : reader.labels[label]
    }

    @Test(arguments: [
        ("scratch", "scratch"), (" Scratch.\n", "scratch"), ("\"SCRATCH\"", "scratch"),
        ("**scratch**", "scratch"), ("glass break", "Glass-Break"), ("glass_break", "Glass-Break"),
        ("I see a scratch on the door.", "scratch"), ("There is no damage here", "no damage"),
        ("It is not a scratch but damage", "damage"), ("This isn't a scratch: damage", "damage"),
        ("Unsure.", "unsure"), ("scratch, a deep scratch", "scratch"),
        ("It may be damage or a scratch.\nAnswer: scratch", "scratch"),
        ("answer: damage\nFinal ANSWER:\n\n  scratch!", "scratch"),
        ("without damage? scratch", "scratch"),
    ])
    func answersAreReadAsAPersonWould(answer: String, expected: String) {
        #expect(label(answer) == expected)
    }

    @Test(arguments: [
        "", "   ", "dent", "scratch or damage", "not a scratch", "scratches", "unsure: scratch",
        "!!!", "\u{0}", "answer:",
    ])
    func answersThatNameNoOrSeveralClassesAreOutside(answer: String) {
        #expect(label(answer) == nil)
    }

    @Test func classesInJSONAreReadAtTheirPointer() throws {
        let reader = try ClassReader(classes: ["a b", "c"], pointer: "/result/0/class")
        #expect(reader.label(of: #"{"result": [{"class": "A B"}], "note": "c"}"#) == 0)
        #expect(reader.label(of: "```json\n{\"result\":[{\"class\":\"c\"}]}\n```") == 1)
        for answer in [#"{"result": []}"#, #"{"result": [{"class": 3}]}"#, "c", "{", "[1]"] {
            #expect(reader.label(of: answer) == reader.outside, "\(answer)")
        }
    }

    @Test func classesOfTheSameWordsAreToldApartBySigns() throws {
        let reader = try ClassReader(classes: ["C", "C++", "+", "-"])
        #expect(["C", "C++", "+", "-", "it is C++"].map(reader.label) == [0, 1, 2, 3, 4])
    }

    @Test func classesAndPointersThatCannotBeReadAreRefused() {
        #expect(throws: EvaluationError.classTwice(name: "Oil leak")) {
            try ClassReader(classes: ["oil-leak"], abstentions: ["Oil leak"])
        }
        #expect(throws: EvaluationError.pointerInvalid(seen: "class")) {
            try ClassReader(classes: ["a"], pointer: "class")
        }
        #expect(throws: EvaluationError.classCount(seen: 0, max: ClassReader.classesMax)) {
            try ClassReader(classes: [])
        }
    }

    @Test func abstentionsAreCountedApart() throws {
        let reader = try ClassReader(classes: ["a", "b"], abstentions: ["unsure"])
        let report = try ClassificationReport(
            reader: reader, actual: [0, 0, 1, 1, 0], predicted: [0, 2, 1, 0, 3],
            bootstrap: try Bootstrap(key: RandomKey(seed: 1), draws: 200))
        #expect(report.accuracy.value == 0.4)
        #expect(report.coverage.value == 0.8)
        #expect(report.answeredAccuracy.value == 0.5)
        #expect(report.outside.value == 0.2)
        #expect(report.classes.map(\.isAbstention) == [false, false, true])
        // The abstention is right for no row, so that averages are over both classes alone.
        #expect(report.macro.recall == (1.0 / 3 + 0.5) / 2)
        #expect(report.confusions.contains { $0.actual == "a" && $0.predicted == nil })
        #expect(report.estimates.first?.name == "accuracy")
        #expect(report.estimates.allSatisfy { $0.interval != nil })
        #expect(report.estimates.allSatisfy { $0.lower <= $0.value && $0.value <= $0.upper })
    }

    @Test func listsOfDifferentLengthsAreRefused() {
        #expect(throws: EvaluationError.self) {
            try ClassificationReport(
                reader: reader, actual: [0], predicted: [],
                bootstrap: Bootstrap(key: RandomKey(seed: 1)))
        }
    }

    @Test func noRowsHaveNoScores() throws {
        let report = try ClassificationReport(
            reader: reader, actual: [], predicted: [],
            bootstrap: try Bootstrap(key: RandomKey(seed: 1), draws: 100))
        #expect(report.accuracy.value == nil)
        #expect(report.macro.f1 == 0)
        #expect(report.confusions.isEmpty)
    }

    @Test func curvesNeedBothKindsOfRows() {
        #expect(RankingCurve(scores: [1, 2], isPositive: [true, true]) == nil)
        #expect(RankingCurve(scores: [1, .nan], isPositive: [true, false]) == nil)
        #expect(RankingCurve(scores: [2, 1], isPositive: [true, false])?.area == 1)
        #expect(RankingCurve(scores: [1, 1], isPositive: [true, false])?.area == 0.5)
        let mean = RankingCurve.meanArea(
            scores: [[0.9, 0.1, 0], [0.2, 0.8, 0]], actual: [0, 1])
        #expect(mean == 1)
    }
}
