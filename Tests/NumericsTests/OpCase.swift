import Foundation
import Numerics

/// One row of the op table: an op with inputs, and what PyTorch made of them.
struct OpCase: Sendable, CustomStringConvertible {
    /// Numbers in row-major order.
    struct Values: Sendable {
        var shape: [Int]
        var floats: [Float] = []
        /// Where the input is of whole numbers.
        var integers: [Int32]?
    }

    let name: String
    let op: String
    let inputs: [(name: String, values: Values)]
    /// JSON text of the op's attributes.
    let attributes: String
    let out: Values
    /// The gradient of the result for which `gradients` were computed.
    let dout: Values?
    let gradients: [String: Values]

    var description: String { name }

    /// Every case of every file, in order of names.
    static let all: [OpCase] = {
        let files = try? FileManager.default.contentsOfDirectory(
            at: GoldenFile.folder, includingPropertiesForKeys: nil)
        return (files ?? []).filter { $0.pathExtension == "safetensors" }
            .sorted { $0.path < $1.path }
            .flatMap { (try? OpCase.read($0)) ?? [] }
    }()

    private static func read(_ url: URL) throws -> [OpCase] {
        let file = try GoldenFile(url)
        let rows = try JSONSerialization.jsonObject(
            with: Data((file.metadata["cases"] ?? "[]").utf8))
        return try (rows as? [[String: Any]] ?? []).map { row in
            let name = row["case"] as? String ?? ""
            func values(_ part: String) -> Values? {
                file.tensor("\(name)/\(part)").map(Values.init)
            }
            let names = row["inputs"] as? [String] ?? []
            let attributes = try JSONSerialization.data(withJSONObject: row["attributes"] ?? [:])
            return OpCase(
                name: "\(url.deletingPathExtension().lastPathComponent)/\(name)",
                op: row["op"] as? String ?? "",
                inputs: names.map { ($0, values($0) ?? Values(shape: [])) },
                attributes: String(decoding: attributes, as: UTF8.self),
                out: values("out") ?? Values(shape: []), dout: values("dout"),
                gradients: Dictionary(
                    uniqueKeysWithValues: names.compactMap { name in
                        values("d.\(name)").map { (name, $0) }
                    }))
        }
    }
}

extension OpCase.Values {
    init(_ stored: (type: String, shape: [Int], bytes: ArraySlice<UInt8>)) {
        shape = stored.shape
        let bytes = [UInt8](stored.bytes)
        switch stored.type {
        case "F32": floats = OpCase.Values.numbers(bytes, Float.self)
        case "I32": integers = OpCase.Values.numbers(bytes, Int32.self)
        case "I64": integers = OpCase.Values.numbers(bytes, Int64.self).map(Int32.init)
        default: preconditionFailure("golden values of \(stored.type)")
        }
    }

    private static func numbers<Number>(_ bytes: [UInt8], _: Number.Type) -> [Number] {
        bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: MemoryLayout<Number>.size).map {
                bytes.loadUnaligned(fromByteOffset: $0, as: Number.self)
            }
        }
    }
}

/// What a row of the op table is called with: its inputs on a backend, and its attributes.
struct OpInputs {
    let tensors: [String: Tensor]
    private let attributes: [String: Any]

    init(_ tensors: [String: Tensor], attributes: String) {
        self.tensors = tensors
        let parsed = try? JSONSerialization.jsonObject(with: Data(attributes.utf8))
        self.attributes = parsed as? [String: Any] ?? [:]
    }

    subscript(name: String) -> Tensor {
        guard let tensor = tensors[name] else { preconditionFailure("no input \(name)") }
        return tensor
    }

    func has(_ name: String) -> Bool { tensors[name] != nil }

    func attribute<Value>(_ name: String, _: Value.Type = Value.self) -> Value {
        guard let value = optional(name, Value.self) else {
            preconditionFailure("no attribute \(name) in \(attributes)")
        }
        return value
    }

    func optional<Value>(_ name: String, _: Value.Type) -> Value? { attributes[name] as? Value }

    func float(_ name: String) -> Float { Float(attribute(name, Double.self)) }
}

extension OpCase {
    /// Runs the op.
    /// - Parameter type: what float inputs are stored as
    /// - Returns: the result, and the gradients of the inputs that have golden ones
    func run(on backend: any Backend, as type: DType) -> (out: Tensor, gradients: [String: Tensor])
    {
        var tensors: [String: Tensor] = [:]
        for (name, values) in inputs {
            let tensor = OpCase.tensor(values, on: backend, as: type)
            tensors[name] = gradients[name] == nil ? tensor : tensor.tracked()
        }
        guard let function = OpTable.ops[op] else { preconditionFailure("no op \(op)") }
        let out = function(OpInputs(tensors, attributes: attributes))
        guard let dout, out.isTracked else { return (out, [:]) }
        let seed = Tensor(dout.floats, Shape(dout.shape), on: backend).converted(to: out.type)
        let found = out.gradients(seed: seed)
        return (out, tensors.filter { gradients[$0.key] != nil }.compactMapValues { found[$0] })
    }

    static func tensor(_ values: Values, on backend: any Backend, as type: DType) -> Tensor {
        if let integers = values.integers {
            return Tensor(integers, on: backend).reshaped(Shape(values.shape))
        }
        return Tensor(values.floats, Shape(values.shape), on: backend).converted(to: type)
    }
}
