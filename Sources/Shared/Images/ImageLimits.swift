/// What a file may ask for. All of it is checked from the header, before memory is asked for.
package struct ImageLimits: Sendable, Hashable {
    /// Bytes of the file.
    package var bytesMax: Int
    /// Width times height.
    package var pixelsMax: Int
    /// Width, and height.
    package var sideMax: Int
    /// Frames of an animation, pages of a TIFF file.
    package var framesMax: Int

    /// Decoding takes at most about 24 bytes of memory a pixel (a TIFF file of one strip of six
    /// 16-bit samples), usually 6; the standard bounds it to 1.5 GiB.
    package init(
        bytesMax: Int = 64 << 20, pixelsMax: Int = 1 << 26, sideMax: Int = 32_768,
        framesMax: Int = 1000
    ) {
        self.bytesMax = bytesMax
        self.pixelsMax = pixelsMax
        self.sideMax = sideMax
        self.framesMax = framesMax
    }

    func check(byteCount: Int) throws(ImageError) {
        if byteCount > bytesMax { throw .tooManyBytes(count: byteCount, max: bytesMax) }
    }

    func check(_ header: ImageHeader) throws(ImageError) {
        let (width, height) = (header.width, header.height)
        guard width > 0, height > 0 else { throw .badSize(width: width, height: height) }
        // No library takes longer sides, whatever the caller allows.
        guard max(width, height) <= min(sideMax, Int(Int32.max)) else {
            throw .sideTooLong(width: width, height: height, sideMax: sideMax)
        }
        // No side is 0, so dividing is safe where multiplying could overflow.
        guard width <= pixelsMax / height else {
            throw .tooManyPixels(width: width, height: height, pixelsMax: pixelsMax)
        }
        guard header.frameCount <= framesMax else {
            throw .tooManyFrames(countAtLeast: header.frameCount, max: framesMax)
        }
    }
}
