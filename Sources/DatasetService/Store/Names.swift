import Foundation
import Resources

/// `datasets/{dataset}`.
struct DatasetName: Hashable, Sendable, CustomStringConvertible {
    static let form = "datasets/{dataset}"
    let id: String

    init(id: String) { self.id = id }

    init(_ text: String, field: String) throws(DatasetError) {
        guard !text.isEmpty else { throw .required(field: field) }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == "datasets", Self.isValid(String(parts[1])) else {
            throw .badName(field: field, seen: text, form: Self.form)
        }
        id = String(parts[1])
    }

    var description: String { "datasets/\(id)" }

    /// `[a-z][a-z0-9-]{0,62}`.
    static func isValid(_ id: String) -> Bool { ResourceID.isValid(id) }
}

/// `datasets/{dataset}/examples/{example}`. The last part is the row id, with every byte that is
/// not a letter, a digit or one of `-_.~` written as `%` and two hexadecimal digits.
struct ExampleName: Hashable, Sendable, CustomStringConvertible {
    static let form = "datasets/{dataset}/examples/{example}"
    private static let plain = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")

    let dataset: String
    let rowID: String

    init(dataset: String, rowID: String) { (self.dataset, self.rowID) = (dataset, rowID) }

    init(_ text: String, field: String) throws(DatasetError) {
        guard !text.isEmpty else { throw .required(field: field) }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0] == "datasets", parts[2] == "examples",
            DatasetName.isValid(parts[1]), let rowID = parts[3].removingPercentEncoding,
            !rowID.isEmpty
        else { throw .badName(field: field, seen: text, form: Self.form) }
        (dataset, self.rowID) = (parts[1], rowID)
    }

    var description: String {
        let part = rowID.addingPercentEncoding(withAllowedCharacters: Self.plain) ?? rowID
        return "datasets/\(dataset)/examples/\(part)"
    }
}

/// `datasets/{dataset}/versions/{version}`, where the version is a number or `latest`.
struct VersionName: Hashable, Sendable, CustomStringConvertible {
    static let form = "datasets/{dataset}/versions/{number}, or latest for the newest"
    let dataset: String
    /// nil for the newest.
    let number: Int?

    init(dataset: String, number: Int) { (self.dataset, self.number) = (dataset, number) }

    init(_ text: String, field: String) throws(DatasetError) {
        guard !text.isEmpty else { throw .required(field: field) }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let number = parts.last.flatMap { Int($0) }
        guard parts.count == 4, parts[0] == "datasets", parts[2] == "versions",
            DatasetName.isValid(parts[1]), parts[3] == "latest" || (number ?? 0) > 0
        else { throw .badName(field: field, seen: text, form: Self.form) }
        (dataset, self.number) = (parts[1], number)
    }

    var description: String {
        "datasets/\(dataset)/versions/\(number.map(String.init) ?? "latest")"
    }
}

/// `datasets/{dataset}/{kind}/{number}`: tasks, votes, adjudications and guidelines.
struct NumberedName: Hashable, Sendable, CustomStringConvertible {
    /// What the number is of.
    enum Kind: String, Sendable {
        case task = "annotationTasks"
        case vote = "votes"
        case adjudication = "adjudications"
        case guidelines
    }

    let dataset: String
    let kind: Kind
    let number: Int64

    init(dataset: String, _ kind: Kind, _ number: Int64) {
        (self.dataset, self.kind, self.number) = (dataset, kind, number)
    }

    init(_ text: String, _ kind: Kind, field: String) throws(DatasetError) {
        guard !text.isEmpty else { throw .required(field: field) }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, parts[0] == "datasets", parts[2] == kind.rawValue,
            DatasetName.isValid(parts[1]), let number = Int64(parts[3]), number > 0
        else {
            throw .badName(
                field: field, seen: text, form: "datasets/{dataset}/\(kind.rawValue)/{number}")
        }
        self.init(dataset: parts[1], kind, number)
    }

    var description: String { "datasets/\(dataset)/\(kind.rawValue)/\(number)" }
}
