import Numerics

extension OpTable {
    static let rows: [String: Op] = [
        "embedding": { $0["table"].embedding($0.integers("ids")) },
        "gathered": { $0["x"].gathered(rows: $0.integers("rows")) },
        "replacing": { $0["x"].replacing(rows: $0.integers("rows"), with: $0["values"]) },
        "concatenated": { .concatenated([$0["a"], $0["b"], $0["c"]]) },
        "rows": { $0["x"].rows($0.range) },
        "columns": { $0["x"].columns($0.range) },
        "swappedColumns": { inputs in
            // Parts used in another order, so that each must have its own columns.
            let parts = inputs["x"].split(columns: inputs.integers("widths").map(Int.init))
            return .concatenated([parts[2], parts[0] * parts[1]])
        },
        "experts": { inputs in
            let partition = RowPartition(inputs.attribute("isFirst", [Bool].self))
            let (first, second) = inputs["x"].split(by: partition)
            return .merged(first * 2, second * second, by: partition)
        },
    ]
}

extension OpInputs {
    func integers(_ name: String) -> [Int32] { attribute(name, [Int].self).map(Int32.init) }

    var range: Range<Int> {
        let bounds = attribute("range", [Int].self)
        return bounds[0]..<bounds[1]
    }
}
