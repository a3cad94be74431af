package import Base
package import Images
package import Text

/// A part of a dataset version.
package enum RowSplit: String, Sendable, Hashable, Codable, CaseIterable { case train, validation }

/// What a row says, without pixels: all that counting its tokens needs.
package struct RowOutline: Sendable, Hashable {
    /// The row's name, for people and records.
    package let id: String
    package let messages: [ChatMessage]
    /// Upright sizes of its images, in the order of their places.
    package let imageSizes: [ImageSize]

    package init(id: String, messages: [ChatMessage], imageSizes: [ImageSize]) {
        (self.id, self.messages, self.imageSizes) = (id, messages, imageSizes)
    }
}

/// A row with its images as they are stored: decoding comes last.
package struct TrainingRow: Sendable {
    package let id: String
    package let messages: [ChatMessage]
    /// Files of the images, in the order of their places.
    package let images: [Bytes]

    package init(id: String, messages: [ChatMessage], images: [Bytes]) {
        (self.id, self.messages, self.images) = (id, messages, images)
    }
}

/// Where the rows of a run come from, such as a stream of the dataset service.
///
/// Rows have numbers from 0 in an order that never changes. Calls come from any thread, one row at
/// a time, and may wait; a source that lost its peer waits for it or throws `unavailable`.
package protocol RowSource: Sendable {
    /// How many rows a split has.
    func count(of split: RowSplit) -> Int

    /// A row without its images' bytes.
    func outline(_ index: Int, of split: RowSplit) throws(RowFault) -> RowOutline

    /// A row with its images' bytes.
    /// - Parameter epoch: the pass over the split, from 0, by which augmentation is keyed
    func row(_ index: Int, of split: RowSplit, epoch: Int) throws(RowFault) -> TrainingRow
}

extension ImageSize {
    /// The upright size of an image, as its file's header states it.
    package init(uprightOf header: ImageHeader) {
        let swaps = header.orientation.swapsSides
        self.init(
            height: swaps ? header.width : header.height,
            width: swaps ? header.height : header.width)
    }
}
