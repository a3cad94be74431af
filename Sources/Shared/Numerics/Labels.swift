/// What each row of logits should predict: a token, or nothing.
package struct Labels: Sendable {
    /// The id of a row that does not count.
    package static let ignored: Int32 = -100

    /// For each row a token id below `vocabulary`, or `ignored`.
    package let ids: [Int32]
    /// Columns of the logits.
    package let vocabulary: Int
    /// The ids on the device.
    let tensor: Tensor

    /// Traps on an id that is neither: labels are made by our own code.
    package init(_ ids: [Int32], vocabulary: Int, on backend: any Backend) {
        for id in ids {
            precondition(
                id == Labels.ignored || (id >= 0 && Int(id) < vocabulary),
                "labels: \(id) of a vocabulary of \(vocabulary)")
        }
        self.init(ids: ids, vocabulary: vocabulary, tensor: Tensor(ids, on: backend))
    }

    private init(ids: [Int32], vocabulary: Int, tensor: Tensor) {
        self.ids = ids
        self.vocabulary = vocabulary
        self.tensor = tensor
    }

    /// How many rows count.
    package var countedRows: Int { ids.count { $0 != Labels.ignored } }

    /// The labels of a block of rows.
    package subscript(rows: Range<Int>) -> Labels {
        Labels(ids: Array(ids[rows]), vocabulary: vocabulary, tensor: tensor.view(rows: rows))
    }
}
