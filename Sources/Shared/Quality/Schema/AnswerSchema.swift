package import Base
import Foundation
import Text

/// Why a JSON schema cannot be used.
package enum SchemaError: Failure, Hashable {
    case notJSON(offset: Int, why: String)
    case tooLarge(bytes: Int, bytesMax: Int)
    case notASchema(pointer: String, seen: String)
    case unsupported(pointer: String, keyword: String)
    case unresolved(pointer: String, reference: String)

    package var kind: FailureKind { .invalidInput }
    package var reason: String { "SCHEMA_INVALID" }
    package var message: String {
        switch self {
        case .notJSON(let offset, let why): "the schema is not JSON: byte \(offset) \(why)"
        case .tooLarge(let bytes, let max): "the schema has \(bytes) bytes; \(max) are allowed"
        case .notASchema(let pointer, let seen):
            "at \"\(pointer)\" stands \(seen); an object, true or false is allowed"
        case .unsupported(let pointer, let keyword):
            "\"\(keyword)\" at \"\(pointer)\" is not checked here; leave it out, or use one of "
                + AnswerSchema.keywords.sorted().joined(separator: ", ")
        case .unresolved(let pointer, let reference):
            "\"\(reference)\" at \"\(pointer)\" is not found; only \"#\" and pointers such as "
                + "\"#/$defs/name\" within the schema are followed"
        }
    }
}

/// The part of JSON Schema (2020-12) that describes answers. Keywords that would not be checked
/// are refused when the schema is read, so that no rule is silently ignored.
package struct AnswerSchema: Sendable {
    private let document: JSONDocument

    /// Largest schema, in bytes.
    package static let bytesMax = 262_144
    /// Values a schema may visit for one answer: references can multiply work.
    static let stepsMax = 100_000
    private static let depthMax = 64

    static let keywords: Set<String> = [
        "type", "enum", "const", "properties", "required", "additionalProperties", "items",
        "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "minimum", "maximum",
        "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minProperties", "maxProperties",
        "anyOf", "oneOf", "allOf", "not", "$ref",
    ]
    /// Keywords that say something to people only.
    private static let notes: Set<String> = [
        "$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples",
        "deprecated", "readOnly", "writeOnly", "format",
    ]

    /// Reads a schema.
    package init(_ text: String) throws(SchemaError) {
        guard text.utf8.count <= Self.bytesMax else {
            throw .tooLarge(bytes: text.utf8.count, bytesMax: Self.bytesMax)
        }
        do {
            document = try JSONDocument(text.utf8, depthMax: Self.depthMax)
        } catch {
            throw .notJSON(offset: error.offset, why: error.why)
        }
        try check(document.root, "")
    }

    /// What is wrong with an answer; empty if it fits.
    package func problems(in answer: String) -> [AnswerProblem] {
        let parsed: JSONDocument
        do {
            parsed = try JSONDocument(answer.utf8, depthMax: Self.depthMax)
        } catch {
            return [AnswerProblem(.notJSON, "", "byte \(error.offset) \(error.why)")]
        }
        var validation = SchemaValidation(schema: self)
        validation.check(parsed.root, document.root, SchemaValidation.Place(pointer: "", depth: 0))
        return validation.problems
    }

    /// The schema that a reference names; nil if there is none.
    func resolve(_ reference: String) -> JSONNode? {
        guard reference.hasPrefix("#") else { return nil }
        return document.root.value(at: String(reference.dropFirst()))
    }

    private func check(_ node: JSONNode, _ pointer: String) throws(SchemaError) {
        if node.bool != nil { return }
        guard node.isObject else { throw .notASchema(pointer: pointer, seen: node.sample) }
        for (key, value) in node.members {
            let name = key.string ?? ""
            let place = "\(pointer)/\(name)"
            switch name {
            case "properties", "$defs":
                for (inner, schema) in value.members {
                    try check(schema, "\(place)/\(inner.string ?? "")")
                }
            case "items", "additionalProperties", "not": try check(value, place)
            case "anyOf", "oneOf", "allOf":
                for (index, schema) in value.elements.enumerated() {
                    try check(schema, "\(place)/\(index)")
                }
            case "$ref":
                guard let target = value.string, resolve(target) != nil else {
                    throw .unresolved(pointer: place, reference: value.string ?? value.sample)
                }
            default:
                guard Self.keywords.contains(name) || Self.notes.contains(name) else {
                    throw .unsupported(pointer: pointer, keyword: name)
                }
            }
        }
    }
}
