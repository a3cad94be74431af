import CImages

/// A picture of 8-bit RGB pixels, rows from the top, without gaps.
package struct RGBImage: Sendable, Hashable {
    package let width: Int
    package let height: Int
    /// Red, green, blue of each pixel: `[height, width, 3]`.
    package let pixels: [UInt8]

    /// Nil unless there are three bytes for each of the pixels.
    package init?(width: Int, height: Int, pixels: [UInt8]) {
        guard width > 0, height > 0, width <= pixels.count, height <= pixels.count / width,
            pixels.count == width * height * 3
        else { return nil }
        (self.width, self.height, self.pixels) = (width, height, pixels)
    }

    /// A picture of one colour.
    package init(width: Int, height: Int, filledWith value: UInt8) {
        self.init(width, height) { target in target.update(repeating: value) }
    }

    /// `fill` writes every byte.
    init<E>(
        _ width: Int, _ height: Int,
        filledBy fill: (UnsafeMutableBufferPointer<UInt8>) throws(E) -> Void
    ) throws(E) {
        let count = width * height * 3
        var failure: E?
        pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let target = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
            do throws(E) {
                try fill(target)
                filled = count
            } catch {
                failure = error
            }
        }
        (self.width, self.height) = (width, height)
        if let failure { throw failure }
    }

    /// The part of a rectangle that must lie inside the picture.
    package func cropped(x: Int, y: Int, width: Int, height: Int) -> RGBImage {
        precondition(
            x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= self.width
                && y + height <= self.height,
            "cropped: \(width) x \(height) at \(x), \(y) of \(self.width) x \(self.height)")
        return RGBImage(width, height) { target in
            pixels.withUnsafeBufferPointer { source in
                for row in 0..<height {
                    let start = ((y + row) * self.width + x) * 3
                    copy(source, from: start, to: target, at: row * width * 3, count: width * 3)
                }
            }
        }
    }

    /// The picture on a larger canvas of one value, its corner at `x`, `y`.
    package func padded(width: Int, height: Int, x: Int, y: Int, value: UInt8 = 0) -> RGBImage {
        precondition(
            x >= 0 && y >= 0 && x + self.width <= width && y + self.height <= height,
            "padded: \(self.width) x \(self.height) at \(x), \(y) of \(width) x \(height)")
        if width == self.width, height == self.height { return self }
        return RGBImage(width, height) { target in
            target.update(repeating: value)
            pixels.withUnsafeBufferPointer { source in
                let count = self.width * 3
                for row in 0..<self.height {
                    let place = ((y + row) * width + x) * 3
                    copy(source, from: row * count, to: target, at: place, count: count)
                }
            }
        }
    }

    /// The picture turned upright, as Pillow's `exif_transpose` does it.
    package func upright(from orientation: Orientation) -> RGBImage {
        let (right, down, left, up) = (1, width, -1, -width)
        let (topRight, bottomLeft) = (width - 1, (height - 1) * width)
        let bottomRight = topRight + bottomLeft
        return switch orientation {
        case .upright: self
        case .mirrored: gathered(from: topRight, left, down, swapsSides: false)
        case .upsideDown: gathered(from: bottomRight, left, up, swapsSides: false)
        case .flipped: gathered(from: bottomLeft, right, up, swapsSides: false)
        case .transposed: gathered(from: 0, down, right, swapsSides: true)
        case .turnedLeft: gathered(from: bottomLeft, up, right, swapsSides: true)
        case .transversed: gathered(from: bottomRight, up, left, swapsSides: true)
        case .turnedRight: gathered(from: topRight, down, left, swapsSides: true)
        }
    }

    /// Left and right swapped.
    package func mirrored() -> RGBImage { upright(from: .mirrored) }

    /// Top and bottom swapped.
    package func flipped() -> RGBImage { upright(from: .flipped) }

    /// Turned clockwise by so many right angles.
    package func turned(quarters: Int) -> RGBImage {
        switch quarters & 3 {
        case 1: upright(from: .turnedLeft)
        case 2: upright(from: .upsideDown)
        case 3: upright(from: .turnedRight)
        default: self
        }
    }

    /// Walks through the pixels from `origin`, by one step along rows and another between them.
    private func gathered(
        from origin: Int, _ xStep: Int, _ yStep: Int, swapsSides: Bool
    ) -> RGBImage {
        let (newWidth, newHeight) = swapsSides ? (height, width) : (width, height)
        return RGBImage(newWidth, newHeight) { target in
            pixels.withUnsafeBufferPointer { source in
                guard let base = source.baseAddress else { return }
                ci_gather_pixels(
                    target.baseAddress, newWidth, newHeight, base + origin * 3, xStep, yStep)
            }
        }
    }

    private func copy(
        _ source: UnsafeBufferPointer<UInt8>, from: Int,
        to target: UnsafeMutableBufferPointer<UInt8>, at place: Int, count: Int
    ) {
        _ = UnsafeMutableBufferPointer(rebasing: target[place..<place + count])
            .update(fromContentsOf: source[from..<from + count])
    }
}
