/// What was done to a row so that it fits the context.
package enum RowShortening: Sendable, Hashable, Codable {
    case none
    /// Sides of its images were multiplied by this.
    case imageScale(Double)
    /// This many messages were dropped behind the system's, with their images.
    case droppedMessages(Int)

    /// In words, for previews; empty for none.
    package var words: String {
        switch self {
        case .none: ""
        case .imageScale(let scale): "images scaled by \(scale)"
        case .droppedMessages(let count): "\(count) messages dropped from the front"
        }
    }
}

/// What is known of a row before it is loaded.
package struct RowFacts: Sendable, Hashable {
    /// Its number in its split.
    package let index: Int
    package let id: String
    /// After shortening, images included.
    package let tokens: Int
    package let imageTokens: Int
    package let trainedTokens: Int
    package let images: Int
    package let shortening: RowShortening

    package init(
        index: Int, id: String, tokens: Int, trainedTokens: Int,
        images: (count: Int, tokens: Int) = (0, 0), shortening: RowShortening = .none
    ) {
        (self.index, self.id, self.tokens) = (index, id, tokens)
        (self.trainedTokens, self.shortening) = (trainedTokens, shortening)
        (self.images, imageTokens) = images
    }
}

/// A row that no policy makes fit, or that the policy leaves out.
package struct OverlongRow: Sendable, Hashable {
    package let id: String
    package let tokens: Int
    package let imageTokens: Int

    package init(id: String, tokens: Int, imageTokens: Int) {
        (self.id, self.tokens, self.imageTokens) = (id, tokens, imageTokens)
    }
}

/// What is known of all rows before any is loaded: the exact token budget.
package struct DatasetFacts: Sendable, Hashable {
    /// Rows to train on, in the order of their split.
    package var train: [RowFacts] = []
    /// Rows to validate on.
    package var validation: [RowFacts] = []
    /// Rows beyond the context that the policy rejects.
    package var rejected: [OverlongRow] = []
    /// Rows that the policy leaves out.
    package var skipped: [OverlongRow] = []

    package init(train: [RowFacts] = [], validation: [RowFacts] = []) {
        (self.train, self.validation) = (train, validation)
    }

    /// Tokens of the longest row; 0 without rows.
    package var longestRow: Int { (train + validation).map(\.tokens).max() ?? 0 }

    /// The rows of a split.
    package subscript(split: RowSplit) -> [RowFacts] {
        get { split == .train ? train : validation }
        set { if split == .train { train = newValue } else { validation = newValue } }
    }
}
