import Messages
import Quality
import Resources
import Text

/// What answers are checked against: the dataset's schema and the parts of its guidelines that a
/// program can check.
struct AnswerRules: Sendable {
    private let lint: AnswerLint
    private let narrower: Quality.AnswerSchema?
    private let patterns: [(source: String, pattern: AnswerPattern)]

    /// Rules that only say how an answer is written: no reason to turn a vote down.
    private static let cosmetic: Set<AnswerRule> = [.outerSpace, .innerSpace, .notComposed]

    /// Compiles the rules.
    ///
    /// - Throws: `CONSTRAINT_INVALID` with the field that does not compile
    init(_ dataset: Dataset, _ guidelines: Guidelines?) throws(AnnotationError) {
        let schema = dataset.answerSchema ?? Messages.AnswerSchema()
        let bytes = Int(schema.answerBytesMax)
        var avoided: [String: String] = [:]
        for term in guidelines?.vocabulary ?? [] {
            for word in term.discouraged { avoided[word] = term.term }
        }
        lint = AnswerLint(
            classes: schema.classes.map(\.name), avoided: avoided,
            schema: try Self.compiled(schema.jsonSchema, "dataset.answer_schema.json_schema"),
            bytesMax: bytes == 0 ? Limits.answerBytesStandard : bytes)
        narrower = try Self.compiled(guidelines?.jsonSchema ?? "", "guidelines.json_schema")
        var compiled: [(String, AnswerPattern)] = []
        for (index, source) in (guidelines?.answerPatterns ?? []).enumerated() {
            do throws(PatternError) {
                compiled.append((source, try AnswerPattern(source)))
            } catch {
                throw .constraintInvalid(
                    field: "guidelines.answer_patterns[\(index)]", why: error.message)
            }
        }
        patterns = compiled
    }

    /// Everything worth telling about an answer.
    func findings(in answer: String) -> [AnswerProblem] {
        let found = lint.problems(in: answer)
        return found + (narrower?.problems(in: answer) ?? [])
    }

    /// Why an answer cannot be taken; empty if it can.
    func refusals(of answer: String) -> [String] {
        var why = findings(in: answer).filter { !Self.cosmetic.contains($0.rule) }.map { problem in
            let place = problem.pointer.isEmpty ? "" : "at \(problem.pointer) "
            let instead = problem.suggestion.map { "; \($0) is meant?" } ?? ""
            return "\(place)\(problem.message)\(instead)"
        }
        for (source, pattern) in patterns where !pattern.matches(answer) {
            why.append("the answer does not match \(source.shortened)")
        }
        return why
    }

    /// Turns a vote or a decision down that cannot be taken.
    func check(_ answer: String, field: String) throws(AnnotationError) {
        guard answer.contains(where: { !$0.isWhitespace }) else {
            throw .answerEmpty(field: field)
        }
        let why = refusals(of: answer)
        guard why.isEmpty else { throw .answerInvalid(field: field, problems: why) }
    }

    private static func compiled(
        _ text: String, _ field: String
    ) throws(AnnotationError) -> Quality.AnswerSchema? {
        guard !text.isEmpty else { return nil }
        do throws(SchemaError) {
            return try Quality.AnswerSchema(text)
        } catch {
            throw .constraintInvalid(field: field, why: error.message)
        }
    }
}

extension Dataset {
    /// How answers of this dataset are compared.
    var comparison: [Quality.FieldRule] {
        (answerSchema?.fieldRules ?? []).map { Quality.FieldRule($0) }
    }
}
