import CImages

extension RGBImage {
    /// The picture at another size, with the same bytes that the backend gives.
    ///
    /// Antialiased: a filter reaches as far as the coarser picture's pixels. Each axis is one pass
    /// whose results are rounded to 8 bits; an axis that keeps its size is left alone.
    package func resized(
        width: Int, height: Int, _ filter: ResampleFilter = .bicubic,
        backend: ResampleBackend = .pillow
    ) throws(ImageError) -> RGBImage {
        try Self.check(width, height)
        if filter == .nearest { return nearest(width, height) }
        // What lies between the passes may be larger than both pictures.
        guard heightGoesFirst(width, height, backend) else {
            try Self.check(width, self.height)
            return try resizedWidth(width, filter, backend).resizedHeight(height, filter, backend)
        }
        try Self.check(self.width, height)
        return try resizedHeight(height, filter, backend).resizedWidth(width, filter, backend)
    }

    /// Bounds pixels to 768 MiB, and the table of weights, which grows with a side, to 15 MiB.
    private static func check(_ width: Int, _ height: Int) throws(ImageError) {
        let (sideMax, pixelsMax) = (1 << 18, 1 << 28)
        guard (1...sideMax).contains(width), (1...sideMax).contains(height),
            width <= pixelsMax / height
        else { throw .badSize(width: width, height: height) }
    }

    /// Found by trying sizes with Pillow 13.0: the height is first where it loses more than twice
    /// as many pixels as the width.
    private func heightGoesFirst(_ width: Int, _ height: Int, _ backend: ResampleBackend) -> Bool {
        backend == .pillow && height < self.height
            && self.height - height > 2 * (self.width - width)
    }

    private func resizedWidth(
        _ width: Int, _ filter: ResampleFilter, _ backend: ResampleBackend
    ) throws(ImageError) -> RGBImage {
        if width == self.width { return self }
        let table = ResampleTable(from: self.width, to: width, filter, backend)
        return try RGBImage(width, height) { (target) throws(ImageError) in
            let isDone = withBoth(table) { source, axis in
                ci_resample_columns(target.baseAddress, source, self.width, height, &axis)
            }
            if !isDone { throw .noMemory(bytesWanted: (self.width + width) * 48) }
        }
    }

    private func resizedHeight(
        _ height: Int, _ filter: ResampleFilter, _ backend: ResampleBackend
    ) throws(ImageError) -> RGBImage {
        if height == self.height { return self }
        let table = ResampleTable(from: self.height, to: height, filter, backend)
        return RGBImage(width, height) { target in
            withBoth(table) { source, axis in
                ci_resample_rows(target.baseAddress, source, width * 3, &axis)
            }
        }
    }

    private func withBoth<R>(
        _ table: ResampleTable, _ body: (UnsafePointer<UInt8>?, inout ci_axis) -> R
    ) -> R {
        pixels.withUnsafeBufferPointer { source in
            table.withAxis { axis in body(source.baseAddress, &axis) }
        }
    }

    private func nearest(_ width: Int, _ height: Int) -> RGBImage {
        let columns = Self.nearestIndices(from: self.width, to: width)
        let rows = Self.nearestIndices(from: self.height, to: height)
        return RGBImage(width, height) { target in
            var place = 0
            for row in rows {
                for column in columns {
                    let source = (row * self.width + column) * 3
                    for channel in 0..<3 { target[place + channel] = pixels[source + channel] }
                    place += 3
                }
            }
        }
    }

    /// Pillow adds steps up instead of multiplying, which can differ in the last bit.
    private static func nearestIndices(from count: Int, to newCount: Int) -> [Int] {
        let step = Double(count) / Double(newCount)
        var position = step * 0.5
        return (0..<newCount).map { _ in
            defer { position += step }
            return min(Int(position), count - 1)
        }
    }
}

/// The weights of one axis as whole numbers.
struct ResampleTable {
    private(set) var starts: [Int32] = []
    private(set) var taps: [Int32] = []
    private(set) var weights: [Int32] = []
    let tapsMax: Int
    let bits: Int

    init(from count: Int, to newCount: Int, _ filter: ResampleFilter, _ backend: ResampleBackend) {
        let scale = Double(count) / Double(newCount)
        let coarseness = max(scale, 1)
        let reach = filter.reach * coarseness
        tapsMax = Int(reach.rounded(.up)) * 2 + 1
        var exact = [Double](repeating: 0, count: newCount * tapsMax)
        for index in 0..<newCount {
            let centre = (Double(index) + 0.5) * scale
            let start = max(Int(centre - reach + 0.5), 0)
            let end = min(Int(centre + reach + 0.5), count)
            starts.append(Int32(start))
            taps.append(Int32(end - start))
            Self.fill(&exact, at: index * tapsMax, start..<end, (centre, coarseness), filter)
        }
        bits = backend == .pillow ? 22 : Self.bitsFor15(exact)
        let factor = Double(1 << bits)
        weights = exact.map { Int32($0 * factor + ($0 < 0 ? -0.5 : 0.5)) }
    }

    private static func fill(
        _ exact: inout [Double], at place: Int, _ inputs: Range<Int>,
        _ window: (centre: Double, coarseness: Double), _ filter: ResampleFilter
    ) {
        let inverse = 1 / window.coarseness
        var sum = 0.0
        for (offset, input) in inputs.enumerated() {
            let weight = filter.weight(at: (Double(input) - window.centre + 0.5) * inverse)
            exact[place + offset] = weight
            sum += weight
        }
        guard sum != 0 else { return }
        for offset in 0..<inputs.count { exact[place + offset] /= sum }
    }

    /// The most bits with which the largest weight still rounds to less than 2^15.
    private static func bitsFor15(_ exact: [Double]) -> Int {
        let largest = exact.max() ?? 0
        return (0..<22).first { Int(0.5 + largest * Double(1 << ($0 + 1))) >= 1 << 15 } ?? 22
    }

    /// Calls `body` with the table as C has it.
    func withAxis<R>(_ body: (inout ci_axis) -> R) -> R {
        starts.withUnsafeBufferPointer { starts in
            taps.withUnsafeBufferPointer { taps in
                weights.withUnsafeBufferPointer { weights in
                    var axis = ci_axis(
                        starts: starts.baseAddress, taps: taps.baseAddress,
                        weights: weights.baseAddress, taps_max: Int32(tapsMax),
                        bits: Int32(bits), count: Int32(starts.count))
                    return body(&axis)
                }
            }
        }
    }
}
