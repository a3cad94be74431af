internal import Base
internal import Synchronization

/// Turns the gradient of an op's result into those of its inputs.
///
/// - Parameters:
///   - dy: gradient of the result, of its shape and type
///   - needed: for each input whether anyone asks for its gradient
/// - Returns: for each input its gradient, nil where none is needed
typealias Backward = @Sendable (_ dy: Tensor, _ needed: [Bool]) -> [Tensor?]

/// How a tensor was made: a vertex of the graph that `gradients` walks back. A leaf has no inputs.
final class Node: Sendable {
    /// Later nodes have larger numbers, so inputs have smaller ones than what is made of them.
    let order: UInt64
    let name: String
    let inputs: [Node?]
    /// Taken at its use, so that what it holds is released as the walk goes on.
    private let backward: Lock<Backward?>

    private static let orders = Atomic<UInt64>(0)
    /// The number that the next node gets, or a larger one.
    static var nextOrder: UInt64 { orders.load(ordering: .relaxed) + 1 }

    init(_ name: String, inputs: [Node?] = [], backward: Backward? = nil) {
        self.name = name
        self.inputs = inputs
        self.backward = Lock(backward)
        order = Node.orders.add(1, ordering: .relaxed).newValue
    }

    var isLeaf: Bool { inputs.isEmpty }

    func takeBackward() -> Backward {
        guard let taken = backward.with({ $0.take() }) else {
            preconditionFailure("\(name): its gradient was already taken; run the forward again")
        }
        return taken
    }

    /// This node and those it was made of, newest first. The walk does not go past leaves and
    /// nodes older than `boundary`.
    func ancestors(notBefore boundary: UInt64) -> [Node] {
        var found: [ObjectIdentifier: Node] = [:]
        var waiting = [self]
        while let node = waiting.popLast() {
            guard found.updateValue(node, forKey: ObjectIdentifier(node)) == nil,
                node.order >= boundary
            else { continue }
            waiting.append(contentsOf: node.inputs.compactMap { $0 })
        }
        return found.values.sorted { $0.order > $1.order }
    }
}

/// What `gradients` returns: the gradient of each tracked tensor that the result depends on.
package struct Gradients: Sendable {
    private var values: [ObjectIdentifier: Tensor] = [:]

    /// The gradient of a tensor made by `tracked`; nil when the result does not depend on it.
    package subscript(tensor: Tensor) -> Tensor? { tensor.node.flatMap { self[$0] } }

    subscript(node: Node) -> Tensor? {
        get { values[ObjectIdentifier(node)] }
        set { values[ObjectIdentifier(node)] = newValue }
    }

    mutating func add(_ gradient: Tensor, to node: Node) {
        self[node] = self[node].map { $0 + gradient } ?? gradient
    }

    mutating func take(_ node: Node) -> Tensor? {
        values.removeValue(forKey: ObjectIdentifier(node))
    }
}

extension Tensor {
    /// Whether a gradient flows to or through this tensor.
    package var isTracked: Bool { node != nil }

    /// The same elements as a leaf that gradients are wanted for.
    package func tracked() -> Tensor {
        precondition(type.isFloat, "tracked: \(type) has no gradient")
        return with(Node("leaf"))
    }

    /// The same elements without their history.
    package func detached() -> Tensor { with(nil) }

    /// Attaches how this result was made, if any input needs it.
    func recorded(
        _ name: String, inputs: [Tensor?], backward: @escaping Backward
    ) -> Tensor {
        let nodes = inputs.map { $0?.node }
        guard nodes.contains(where: { $0 != nil }) else { return self }
        return with(Node(name, inputs: nodes, backward: backward))
    }

    /// Walks the graph back once; it is used up.
    /// - Parameter seed: gradient of this tensor, of its shape; nil for 1, if this is one number
    /// - Returns: the gradients of all tracked leaves
    package func gradients(seed: Tensor? = nil) -> Gradients {
        gradients(seed: seed, notBefore: 0)
    }

    /// - Parameter boundary: nodes older than it count as leaves
    fileprivate func gradients(seed: Tensor?, notBefore boundary: UInt64) -> Gradients {
        guard let root = node else { preconditionFailure("gradients: nothing was tracked") }
        precondition(
            seed?.shape ?? [] == (seed == nil ? Shape([]) : shape)
                && (seed != nil || shape.count == 1),
            "gradients: of \(shape), seed \(seed.map { "\($0.shape)" } ?? "none")")
        var result = Gradients()
        var pending = Gradients()
        pending[root] = seed ?? .filled(1, shape, type, on: backend)
        for node in root.ancestors(notBefore: boundary) {
            guard let dy = pending.take(node) else { continue }
            if node.isLeaf || node.order < boundary {
                result[node] = dy
                continue
            }
            let gradients = node.takeBackward()(dy, node.inputs.map { $0 != nil })
            precondition(gradients.count == node.inputs.count, "\(node.name): gradients missing")
            for case (let input?, let gradient?) in zip(node.inputs, gradients) {
                pending.add(gradient, to: input)
            }
        }
        return result
    }

    private func with(_ node: Node?) -> Tensor {
        var copy = self
        copy.node = node
        return copy
    }
}

/// Runs a block without keeping what it computes on the way; the walk back runs it again. Memory
/// for one more forward of the block buys that of all its ops.
///
/// - Parameters:
///   - inputs: what flows into the block. Tracked tensors that the block refers to besides these
///     (parameters) get their gradients too.
///   - block: must give the same result at each run; randomness in it is keyed, not drawn
/// - Returns: the block's result
package func checkpointed(
    _ inputs: [Tensor], _ block: @escaping @Sendable ([Tensor]) -> Tensor
) -> Tensor {
    let boundary = Node.nextOrder
    let copies = inputs.map { $0.isTracked ? $0.tracked() : $0 }
    let y = block(copies)
    guard let root = y.node else { return y }
    let inside = Set(copies.compactMap { $0.node.map(ObjectIdentifier.init) })
    let outside = root.ancestors(notBefore: boundary).filter { node in
        (node.isLeaf || node.order < boundary) && !inside.contains(ObjectIdentifier(node))
    }
    let detached = inputs.map { $0.detached() }
    let wanted = inputs.map(\.isTracked)
    let node = Node("checkpointed", inputs: inputs.map(\.node) + outside) { dy, _ in
        let copies = zip(detached, wanted).map { $1 ? $0.tracked() : $0 }
        let gradients = block(copies).gradients(seed: dy, notBefore: boundary)
        return copies.map { gradients[$0] } + outside.map { gradients[$0] }
    }
    var result = y
    result.node = node
    return result
}
