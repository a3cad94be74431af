import Numerics

/// One line of work from run.py. What a task does not need is left out there.
struct Task: Decodable {
    let op: String
    /// How long to measure, seconds.
    let budget: Double
    var type: String?
    /// How the weight is kept; `int8-dynamic` also quantises the rows.
    var format: String?
    var m: Int?
    var n: Int?
    var k: Int?
    var tokens: Int?
    var heads: Int?
    var width: Int?
    var causal: Bool?
    var backward: Bool?
}

/// What is wrong with a task: a field that is missing or has no such value.
struct TaskError: Error {
    let message: String
}

extension Task {
    func elementType() throws -> DType {
        guard let type = type.flatMap(DType.init), type.isFloat else {
            throw TaskError(message: "type: \(type ?? "none")")
        }
        return type
    }

    func value<Value>(_ path: KeyPath<Task, Value?>) throws -> Value {
        guard let value = self[keyPath: path] else {
            throw TaskError(message: "\(op): a field is missing")
        }
        return value
    }
}
