import Base
import Messages
import Quality
import Resources

/// What guidelines must be like before they are put.
struct GuidelinesRules {
    let dataset: DatasetRecord

    /// Checks new guidelines, and fills in what the server gives.
    ///
    /// - Parameter present: those in force
    /// - Returns: the guidelines with what rules came from, and the compiled rules of answers
    func checked(
        _ asked: Guidelines, present: Guidelines?
    ) throws -> (guidelines: Guidelines, rules: AnswerRules) {
        var guidelines = asked
        let origins = Dictionary(
            (present?.rules ?? []).map { ($0.ruleID, $0.adjudication) },
            uniquingKeysWith: { first, _ in first })
        for index in guidelines.rules.indices {
            guidelines.rules[index].adjudication = origins[guidelines.rules[index].ruleID] ?? ""
        }
        try size("markdown", guidelines.markdown, Limits.markdownBytesMax)
        try size("change_note", guidelines.changeNote, Limits.remarkBytesMax)
        if let tag = Self.htmlTag(in: guidelines.markdown) {
            throw DatasetError.invalid(
                field: "guidelines.markdown", seen: tag,
                allowed: "Markdown without HTML is allowed; write &lt; for <")
        }
        try count("answer_patterns", guidelines.answerPatterns.count, Limits.patternsMax)
        try size("json_schema", guidelines.jsonSchema, Limits.schemaBytesMax)
        try checkVocabulary(guidelines.vocabulary)
        let rules = try AnswerRules(dataset.stored, guidelines)
        try count("rules", guidelines.rules.count, Limits.rulesMax)
        var seen = Set<String>()
        for (index, rule) in guidelines.rules.enumerated() {
            try check(rule, "guidelines.rules[\(index)]", rules)
            guard seen.insert(rule.ruleID).inserted else {
                throw DatasetError.invalid(
                    field: "guidelines.rules[\(index)].rule_id", seen: rule.ruleID,
                    allowed: "each id is allowed once")
            }
        }
        return (guidelines, rules)
    }

    /// Checks one rule.
    func check(_ rule: GuidelineRule, _ path: String, _ rules: AnswerRules) throws {
        guard DatasetName.isValid(rule.ruleID) else {
            throw DatasetError.invalid(
                field: "\(path).rule_id", seen: rule.ruleID,
                allowed: "[a-z][a-z0-9-]{0,62} is allowed")
        }
        guard !rule.text.isEmpty else { throw DatasetError.required(field: "\(path).text") }
        try VoteRules.size("\(path).text", rule.text, Limits.remarkBytesMax)
        if !rule.answer.isEmpty { try rules.check(rule.answer, field: "\(path).answer") }
        guard rule.examples.count <= Limits.ruleExamplesMax else {
            throw DatasetError.invalid(
                field: "\(path).examples", seen: "\(rule.examples.count) rows",
                allowed: "at most \(Limits.ruleExamplesMax) are allowed")
        }
        for (index, text) in rule.examples.enumerated() {
            let name = try ExampleName(text, field: "\(path).examples[\(index)]")
            guard name.dataset == dataset.name.id else {
                throw DatasetError.invalid(
                    field: "\(path).examples[\(index)]", seen: text,
                    allowed: "rows of \(dataset.name) are allowed")
            }
        }
    }

    /// A word that is refused must not stand in a term or class that is to be used.
    private func checkVocabulary(_ vocabulary: [VocabularyTerm]) throws {
        try count("vocabulary", vocabulary.count, Limits.termsMax)
        var avoided: [String: String] = [:]
        for (index, term) in vocabulary.enumerated() {
            let path = "guidelines.vocabulary[\(index)]"
            guard !term.term.isEmpty else { throw DatasetError.required(field: "\(path).term") }
            for word in [term.term] + term.discouraged {
                try VoteRules.size(path, word, Limits.termBytesMax)
            }
            for word in term.discouraged {
                guard word.contains(where: { $0.isLetter || $0.isNumber }) else {
                    throw AnnotationError.constraintInvalid(
                        field: "\(path).discouraged", why: "'\(word.shortened)' has no letter")
                }
                avoided[word] = term.term
            }
        }
        let lint = AnswerLint(avoided: avoided)
        let classes = dataset.stored.answerSchema?.classes.map(\.name) ?? []
        for wanted in vocabulary.map(\.term) + classes {
            let clash = lint.problems(in: wanted).first { $0.rule == .avoidedTerm }
            guard let clash else { continue }
            throw AnnotationError.constraintInvalid(
                field: "guidelines.vocabulary",
                why: "'\(wanted.shortened)' could never be answered: \(clash.message)")
        }
    }

    private func size(_ field: String, _ text: String, _ max: Int) throws(DatasetError) {
        try VoteRules.size("guidelines.\(field)", text, max)
    }

    private func count(_ field: String, _ seen: Int, _ max: Int) throws(DatasetError) {
        guard seen <= max else {
            throw .invalid(
                field: "guidelines.\(field)", seen: "\(seen)", allowed: "at most \(max) are allowed"
            )
        }
    }

    /// The first HTML tag or comment in a text; `<https://...>` is a link of Markdown.
    static func htmlTag(in text: String) -> String? {
        var rest = text[...]
        while let start = rest.firstIndex(of: "<") {
            rest = rest[rest.index(after: start)...]
            if rest.hasPrefix("!--") { return "<!--" }
            let body = rest.hasPrefix("/") ? rest.dropFirst() : rest
            let name = body.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
            guard let first = name.first, first.isLetter else { continue }
            let next = body.dropFirst(name.count).first
            if let next, next == ">" || next == "/" || next.isWhitespace { return "<\(name)" }
        }
        return nil
    }
}
