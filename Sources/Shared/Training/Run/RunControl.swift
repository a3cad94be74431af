import Base

/// Asks a run to pause or to end, from any thread; it obeys before its next micro-batch.
package final class RunControl: Sendable {
    /// What is asked for.
    package enum Wish: Sendable, Hashable { case goOn, pause, cancel }

    private let wished = Lock(Wish.goOn)

    package init() {}

    /// What is asked for now.
    package var wish: Wish { wished.with { $0 } }

    /// Asks for something else. After `cancel` nothing else counts.
    package func ask(_ wish: Wish) {
        wished.with { if $0 != .cancel { $0 = wish } }
    }
}
