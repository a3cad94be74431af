import Base
import Evaluation
import Images
import Messages
import Quality

/// The buckets that rows fall into.
struct RowSlices: Sendable {
    /// Slices that every dataset has; those of attributes come on top.
    static let names = [
        "width", "height", "size", "brightness", "sharpness", "tags", "source", "language",
        "annotator", "guidelines_revision",
    ]
    private static let standard = ["size", "sharpness", "tags"]
    private static let attributePrefix = "attributes."

    /// For each slice the buckets of every row.
    let buckets: [String: [[String]]]

    static func isKnown(_ name: String) -> Bool {
        names.contains(name)
            || (name.hasPrefix(attributePrefix) && name.count > attributePrefix.count)
    }

    /// - Parameter wanted: names of slices; empty for size, sharpness and tags
    init(_ rows: [StreamedExample], wanted: [String]) {
        var buckets: [String: [[String]]] = [:]
        let names = wanted.isEmpty ? Self.standard : wanted
        let needsPixels = names.contains { ["brightness", "sharpness"].contains($0) }
        let measures = needsPixels ? rows.map(Self.measures) : []
        for name in names {
            switch name {
            case "width":
                buckets[name] = Self.ranges(rows.map { Self.largest($0.images.map(\.widthPixels)) })
            case "height":
                buckets[name] = Self.ranges(
                    rows.map { Self.largest($0.images.map(\.heightPixels)) })
            case "size":
                buckets[name] = Self.ranges(
                    rows.map { row in
                        row.images.map { Double($0.widthPixels) * Double($0.heightPixels) }.max()
                            ?? .nan
                    })
            case "brightness":
                buckets[name] = Self.ranges(measures.map { $0?.brightness ?? .nan })
            case "sharpness":
                buckets[name] = Self.ranges(measures.map { $0?.sharpness ?? .nan })
            case "tags": buckets[name] = rows.map(\.tags)
            default:
                let key =
                    name.hasPrefix(Self.attributePrefix)
                    ? String(name.dropFirst(Self.attributePrefix.count)) : name
                buckets[name] = rows.map { $0.attributes[key].map { [$0] } ?? [] }
            }
        }
        self.buckets = buckets
    }

    private static func largest(_ sides: [UInt32]) -> Double {
        sides.max().map(Double.init) ?? .nan
    }

    private static func ranges(_ values: [Double]) -> [[String]] {
        let ranges = NumberBuckets(values)
        return values.map { [ranges.name(of: $0)] }
    }

    /// Of the first image; nil where there is none, or it cannot be read.
    private static func measures(_ row: StreamedExample) -> ImageMeasures? {
        guard let image = row.images.first,
            let decoded = try? DecodedImage(decoding: image.content).image
        else { return nil }
        return try? ImageMeasures(decoded, width: decoded.width, height: decoded.height)
    }
}
