import Base

/// A line of a run's history, with the names of transformers: `loss`, `grad_norm`, `eval_loss`.
package struct LogEntry: Sendable, Hashable {
    /// Steps done.
    package let step: Int
    /// Passes done over the train split.
    package let epoch: Double
    /// In order, finite.
    package let values: [Value]

    /// A number with its name.
    package struct Value: Sendable, Hashable {
        package let name: String
        package let number: Double

        package init(_ name: String, _ number: Double) { (self.name, self.number) = (name, number) }
    }

    /// Numbers that are not finite are left out.
    package init(step: Int, epoch: Double, _ values: [Value]) {
        (self.step, self.epoch) = (step, epoch)
        self.values = values.filter(\.number.isFinite)
    }

    /// The number of a name; nil if there is none.
    package subscript(name: String) -> Double? { values.first { $0.name == name }?.number }
}

extension LogEntry {
    func write(_ json: inout JSONText) {
        json.object { json in
            json.member("epoch", epoch)
            for value in values { json.member(value.name, value.number) }
            json.member("step", step)
        }
    }
}
