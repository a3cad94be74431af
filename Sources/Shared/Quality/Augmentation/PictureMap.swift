package import Images

/// Where the places of a changed picture come from, and the canvas it is on.
package struct PictureMap: Sendable, Hashable {
    /// From places of the canvas to places of the picture before all changes.
    package private(set) var toSource = Projection.identity
    /// Size of the canvas in pixels; whole only once it is `scaled`.
    package private(set) var width: Double
    package private(set) var height: Double
    /// Colour of what lies outside of the picture, as 0xRRGGBB; nil repeats the edge.
    private(set) var fillRGB: UInt32?

    /// A picture as it is.
    package init(width: Int, height: Int) {
        (self.width, self.height) = (Double(width), Double(height))
    }

    /// The longer side of the canvas.
    var longerSide: Double { max(width, height) }

    /// Follows a change. Those of light and sharpness move nothing.
    mutating func apply(_ change: AppliedTransform) {
        switch change {
        case .rotate(let degrees, let fill):
            if let quarters = change.quarterTurns { return turn(quarters) }
            step(.rotation(degrees: degrees, width: width, height: height))
            fillRGB = fill
        case .flip(let horizontal, let vertical):
            step(
                .affine(
                    scaleX: horizontal ? -1 : 1, scaleY: vertical ? -1 : 1,
                    shiftX: horizontal ? width : 0, shiftY: vertical ? height : 0))
        case .crop(let x, let y, let newWidth, let newHeight):
            step(.affine(shiftX: x * width, shiftY: y * height))
            (width, height) = (newWidth * width, newHeight * height)
        case .perspective(let corners):
            step(.slant(corners: corners, width: width, height: height))
        default: break
        }
    }

    /// The same canvas with other pixels.
    package mutating func scale(toWidth newWidth: Int, height newHeight: Int) {
        step(.affine(scaleX: width / Double(newWidth), scaleY: height / Double(newHeight)))
        (width, height) = (Double(newWidth), Double(newHeight))
    }

    /// The canvas on a picture whose pixels are larger or smaller.
    func onSource(scaleX: Double, scaleY: Double) -> Projection {
        Projection.affine(scaleX: scaleX, scaleY: scaleY).after(toSource)
    }

    /// Clockwise.
    private mutating func turn(_ quarters: Int) {
        for _ in 0..<(quarters & 3) {
            step(.quarterTurn(height: height))
            (width, height) = (height, width)
        }
    }

    private mutating func step(_ next: Projection) { toSource = toSource.after(next) }

    /// Where a box of the source lies on the canvas: the smallest box around its four corners, cut
    /// at the edges. Nil if less than `shareMin` of it is left, or nothing.
    package func moved(_ box: PictureBox, shareMin: Double = 0.1) -> PictureBox? {
        guard let toCanvas = toSource.inverse else { return nil }
        let corners = [
            (box.left, box.top), (box.right, box.top), (box.right, box.bottom),
            (box.left, box.bottom),
        ].compactMap { toCanvas.place($0.0, $0.1) }
        guard corners.count == 4 else { return nil }
        let (xs, ys) = (corners.map(\.x), corners.map(\.y))
        let whole = PictureBox(
            left: xs.min() ?? 0, top: ys.min() ?? 0, right: xs.max() ?? 0, bottom: ys.max() ?? 0)
        let cut = PictureBox(
            left: max(0, whole.left), top: max(0, whole.top), right: min(width, whole.right),
            bottom: min(height, whole.bottom))
        guard cut.right > cut.left, cut.bottom > cut.top, cut.area >= shareMin * whole.area else {
            return nil
        }
        return cut
    }
}

/// An upright box in a picture, in pixels from the upper left corner.
package struct PictureBox: Sendable, Hashable {
    package let left: Double
    package let top: Double
    package let right: Double
    package let bottom: Double

    /// The sides in pixels.
    package init(left: Double, top: Double, right: Double, bottom: Double) {
        (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
    }

    var area: Double { (right - left) * (bottom - top) }
}

extension AppliedTransform {
    /// Whether it moves pixels, and changes none.
    var isGeometry: Bool {
        switch self {
        case .rotate, .flip, .crop, .perspective: true
        default: false
        }
    }

    /// Whether whole pixels are moved, so that nothing has to be sampled.
    var movesWholePixels: Bool {
        switch self {
        case .rotate: quarterTurns != nil
        case .flip, .crop: true
        default: false
        }
    }

    /// Right angles clockwise of a turn; nil of any other turn or change.
    var quarterTurns: Int? {
        guard case .rotate(let degrees, _) = self else { return nil }
        let quarters = (degrees / 90).rounded()
        return quarters * 90 == degrees && abs(quarters) <= 2 ? -Int(quarters) : nil
    }
}
