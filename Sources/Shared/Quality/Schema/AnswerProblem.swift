/// Which rule an answer breaks.
package enum AnswerRule: String, Sendable, CaseIterable {
    case empty = "ANSWER_EMPTY"
    case tooLong = "ANSWER_TOO_LONG"
    case outerSpace = "OUTER_WHITE_SPACE"
    case innerSpace = "REPEATED_WHITE_SPACE"
    case controlCharacter = "CONTROL_CHARACTER"
    case notComposed = "NOT_NFC"
    case unknownClass = "CLASS_UNKNOWN"
    case caseVariant = "CASE_VARIANT"
    case nearVariant = "NEAR_VARIANT"
    case oddLength = "LENGTH_OUTLIER"
    case avoidedTerm = "TERM_AVOIDED"
    case notJSON = "NOT_JSON"
    case schemaType = "SCHEMA_TYPE"
    case schemaMissing = "SCHEMA_REQUIRED"
    case schemaUnknown = "SCHEMA_UNKNOWN_FIELD"
    case schemaValue = "SCHEMA_VALUE"
    case schemaRange = "SCHEMA_RANGE"
    case schemaChoice = "SCHEMA_CHOICE"
    case schemaTooDeep = "SCHEMA_TOO_DEEP"
}

/// How an answer breaks a rule.
package struct AnswerProblem: Sendable, Hashable {
    package let rule: AnswerRule
    /// JSON pointer into the answer; "" for the whole.
    package let pointer: String
    /// What was seen and what is allowed.
    package let message: String
    /// What to write instead, where that is known.
    package let suggestion: String?

    /// An answer much longer or shorter than others.
    package static func length(_ bytes: Int, usual: ClosedRange<Int>) -> AnswerProblem {
        AnswerProblem(
            .oddLength, "",
            "\(bytes) bytes; answers here have \(usual.lowerBound) to \(usual.upperBound)")
    }

    /// An answer that is probably another one, written otherwise.
    package static func variant(_ pair: AnswerVariants.Pair) -> AnswerProblem {
        AnswerProblem(
            pair.rule, "",
            "\"\(pair.variant.prefix(80))\" is probably \"\(pair.usual.prefix(80))\", which is"
                + " more frequent", suggestion: pair.usual)
    }

    init(_ rule: AnswerRule, _ pointer: String, _ message: String, suggestion: String? = nil) {
        (self.rule, self.pointer) = (rule, pointer)
        (self.message, self.suggestion) = (message, suggestion)
    }
}
