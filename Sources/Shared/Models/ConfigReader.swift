package import Text

/// Reads fields of a model's JSON files with errors that name field, value and what is allowed.
package struct ConfigReader: Sendable {
    let node: JSONNode
    /// The file and the fields that led here.
    private let place: String

    /// - Parameter file: its name, for messages
    package init(_ node: JSONNode, file: String) {
        (self.node, place) = (node, file + ": ")
    }

    private init(node: JSONNode, place: String) { (self.node, self.place) = (node, place) }

    /// A field, where it is there and not null.
    package subscript(name: String) -> JSONNode? {
        node[name].flatMap { $0.isNull ? nil : $0 }
    }

    /// Whether a field is there and null.
    package func isNull(_ name: String) -> Bool { node[name]?.isNull == true }

    /// An object within; nil where it is missing.
    package func object(_ name: String) -> ConfigReader? {
        self[name].map { ConfigReader(node: $0, place: place + name + ".") }
    }

    /// An object that must be there.
    package func required(_ name: String) throws(ModelError) -> ConfigReader {
        guard let found = object(name) else { throw missing(name) }
        return found
    }

    /// A whole number above 0.
    /// - Parameter standard: what a missing field means; nil if it must be there
    package func count(
        _ name: String, or standard: Int? = nil, max: Int = 1 << 24
    ) throws(ModelError) -> Int {
        guard let value = self[name] else {
            guard let standard else { throw missing(name) }
            return standard
        }
        guard let count = value.int, (1...max).contains(count) else {
            throw bad(name, value, "a whole number from 1 to \(max)")
        }
        return count
    }

    /// A whole number of either sign.
    package func integer(_ name: String, or standard: Int? = nil) throws(ModelError) -> Int {
        guard let value = self[name] else {
            guard let standard else { throw missing(name) }
            return standard
        }
        guard let number = value.int else { throw bad(name, value, "a whole number") }
        return number
    }

    /// A finite number.
    package func number(_ name: String, or standard: Double? = nil) throws(ModelError) -> Double {
        guard let value = self[name] else {
            guard let standard else { throw missing(name) }
            return standard
        }
        guard let number = value.double, number.isFinite else { throw bad(name, value, "a number") }
        return number
    }

    /// True or false.
    package func flag(_ name: String, or standard: Bool) throws(ModelError) -> Bool {
        guard let value = self[name] else { return standard }
        guard let flag = value.bool else { throw bad(name, value, "true or false") }
        return flag
    }

    /// A string.
    package func text(_ name: String, or standard: String? = nil) throws(ModelError) -> String {
        guard let value = self[name] else {
            guard let standard else { throw missing(name) }
            return standard
        }
        guard let text = value.string else { throw bad(name, value, "a string") }
        return text
    }

    /// A list of numbers.
    package func numbers(_ name: String) throws(ModelError) -> [Double]? {
        guard let value = self[name] else { return nil }
        let numbers = value.elements.compactMap(\.double)
        guard value.isArray, numbers.count == value.count else {
            throw bad(name, value, "a list of numbers")
        }
        return numbers
    }

    /// An error about a field's value.
    package func bad(_ name: String, _ value: JSONNode?, _ allowed: String) -> ModelError {
        .badConfig(field: place + name, seen: value?.sample ?? "nothing", allowed: allowed)
    }

    private func missing(_ name: String) -> ModelError {
        .badConfig(field: place + name, seen: "nothing", allowed: "a value")
    }
}
