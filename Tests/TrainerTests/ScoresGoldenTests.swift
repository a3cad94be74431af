import Base
import Evaluation
import Foundation
import Messages
import Testing

@testable import TrainerService

/// The numbers of the service beside those of scikit-learn, sacrebleu and torchmetrics, in values
/// that scripts/make-goldens/reference_metrics.py computed.
struct ScoresGoldenTests {
    private struct Classes: Decodable {
        let name: String
        let listed, actual, predicted: [Int]
        let accuracy, balanced, mcc: Double
        /// Precision, recall and F1.
        let macro, micro, weighted: [Double]
    }

    private struct Texts: Decodable {
        struct Row: Decodable {
            let answer: String
            let references: [String]
        }

        let rows: [Row]
    }

    private static func read<Value: Decodable>(_ name: String, as: Value.Type) throws -> Value {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Goldens/evaluation/\(name).json")
        return try JSONDecoder().decode(Value.self, from: Data(contentsOf: file))
    }

    private static func scores(
        _ rows: [(expected: String, answer: String)], _ version: DatasetVersion
    ) throws -> [String: Double] {
        let predictions = rows.map { row -> Prediction in
            .with { ($0.expected, $0.answer) = row }
        }
        let bootstrap = try Bootstrap(key: RandomKey(seed: 1), draws: 100)
        let scores = try AnswerScores(predictions, version, abstainBelow: 0, bootstrap)
        return Dictionary(
            scores.estimates.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    @Test func classesScoreAsWithScikitLearn() throws {
        let goldens = try Self.read("classes", as: [Classes].self)
        #expect(goldens.count >= 7)
        for golden in goldens {
            let names = golden.listed.map { "class \($0)" }
            var version = DatasetVersion()
            version.answerSchema = .with {
                $0.classes = names.map { name in .with { $0.name = name } }
            }
            func text(_ label: Int) -> String {
                names.indices.contains(label) ? names[label] : "something else"
            }
            let found = try Self.scores(
                zip(golden.actual, golden.predicted).map { (text($0), text($1)) }, version)
            let expected = [
                "accuracy": golden.accuracy, "balanced_accuracy": golden.balanced,
                "mcc": golden.mcc, "f1.macro": golden.macro[2], "f1.micro": golden.micro[2],
                "f1.weighted": golden.weighted[2],
            ]
            for (name, value) in expected {
                let own = try #require(found[name])
                #expect(abs(own - value) <= 1e-9, "\(name) of \(golden.name)")
            }
        }
    }

    @Test func textsScoreAsTheLibraryThatEqualsSacrebleuAndRougeScore() throws {
        let corpora = try Self.read("texts", as: [Texts].self)
        #expect(corpora.count >= 4)
        for corpus in corpora {
            let rows = corpus.rows.compactMap { row in
                row.references.first.map { (expected: $0, answer: row.answer) }
            }
            let found = try Self.scores(rows, DatasetVersion())
            let library = TextScores(
                rows.map { GeneratedRow($0.answer, references: [$0.expected]) })
            let values = library.values(Array(rows.indices)[...])
            for (name, value) in zip(TextScores.metrics, values) {
                #expect(found[name] == value, "\(name)")
            }
        }
    }
}
