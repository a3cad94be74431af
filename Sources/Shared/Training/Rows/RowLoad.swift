import Base
import Dispatch
package import Models

/// Rows on their way to the model: read, decoded and encoded on a thread of their own, while the
/// model works on others.
package final class RowLoad: Sendable {
    /// Rows that could be had, in order, and those that could not.
    package struct Rows: Sendable {
        package var inputs: [ModelInput] = []
        /// Names of the rows of `inputs`.
        package var ids: [String] = []
        /// Rows that are bad, by name, with what is wrong.
        package var bad: [(id: String, fault: RowFault)] = []
        /// Why the source could not be reached; the rows count for nothing then.
        package var outage: RowFault?
    }

    /// What is loaded: rows of a split in an epoch.
    package struct Request: Sendable, Hashable {
        package let split: RowSplit
        package let epoch: Int
        package let rows: [RowFacts]

        package init(_ split: RowSplit, epoch: Int, rows: [RowFacts]) {
            (self.split, self.epoch, self.rows) = (split, epoch, rows)
        }
    }

    /// What was asked for.
    package let request: Request
    private let result = Lock<Rows?>(nil)
    private let done = DispatchSemaphore(value: 0)

    /// Begins to load.
    package init(_ request: Request, from source: any RowSource, _ encoder: RowEncoder) {
        self.request = request
        let (result, done) = (result, done)
        startThread(named: "fovea-rows") {
            let rows = Self.load(request, source, encoder)
            result.with { $0 = rows }
            done.signal()
        }
    }

    /// Waits for the rows.
    package func rows() -> Rows {
        done.wait()
        // Whoever asks again gets the same.
        done.signal()
        return result.with { $0 } ?? Rows()
    }

    private static func load(
        _ request: Request, _ source: any RowSource, _ encoder: RowEncoder
    ) -> Rows {
        var rows = Rows()
        for facts in request.rows {
            do throws(RowFault) {
                let row = try source.row(facts.index, of: request.split, epoch: request.epoch)
                rows.inputs.append(try encoder.input(row, facts.shortening))
                rows.ids.append(facts.id)
            } catch {
                guard error.isOfRow else {
                    rows.outage = error
                    return rows
                }
                rows.bad.append((facts.id, error))
            }
        }
        return rows
    }
}
