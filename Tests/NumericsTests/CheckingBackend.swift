import Base
import Dispatch
import Foundation
import Glibc
import Numerics

/// A backend whose buffers the host cannot touch: pages are readable or writable only while a
/// kernel or a copy that names them runs, on a thread of its own, in order and later than the
/// call. Whoever reads or writes memory past it, or reads what a kernel has not written yet,
/// crashes or gets other bits.
final class CheckingBackend: Backend {
    private let cpu: CPUBackend
    private let queue = DispatchQueue(label: "checking")
    private static let page = Int(getpagesize())

    init(_ cpu: CPUBackend) { self.cpu = cpu }

    var name: String { "checking \(cpu.name)" }

    func allocate(byteCount: Int) -> Buffer {
        let size = CheckingBackend.size(byteCount)
        let memory = mmap(nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { preconditionFailure("out of memory") }
        return Buffer(backend: self, byteCount: byteCount, handle: UInt(bitPattern: memory))
    }

    func release(handle: UInt, byteCount: Int) {
        munmap(UnsafeMutableRawPointer(bitPattern: handle), CheckingBackend.size(byteCount))
    }

    func copyIn(_ bytes: UnsafeRawBufferPointer, to buffer: Buffer, at offset: Int) {
        let copy = [UInt8](bytes)
        queue.async { [cpu] in
            CheckingBackend.protect(buffer, PROT_READ | PROT_WRITE)
            copy.withUnsafeBytes { cpu.copyIn($0, to: buffer, at: offset) }
            CheckingBackend.protect(buffer, PROT_NONE)
        }
    }

    func copyOut(_ buffer: Buffer, at offset: Int, into bytes: UnsafeMutableRawBufferPointer) {
        let copy = Lock([UInt8](repeating: 0, count: bytes.count))
        queue.sync { [cpu] in
            CheckingBackend.protect(buffer, PROT_READ)
            copy.with { copy in
                copy.withUnsafeMutableBytes { cpu.copyOut(buffer, at: offset, into: $0) }
            }
            CheckingBackend.protect(buffer, PROT_NONE)
        }
        bytes.copyBytes(from: copy.with { $0 })
    }

    func enqueue(_ launch: Launch) {
        queue.async { [cpu] in
            let operands = launch.operands.compactMap { $0 }
            for operand in operands where operand.access == .read {
                CheckingBackend.protect(operand.buffer, PROT_READ)
            }
            for operand in operands where operand.access != .read {
                CheckingBackend.protect(operand.buffer, PROT_READ | PROT_WRITE)
            }
            cpu.enqueue(launch)
            for operand in operands { CheckingBackend.protect(operand.buffer, PROT_NONE) }
        }
    }

    private static func protect(_ buffer: Buffer, _ access: Int32) {
        let memory = UnsafeMutableRawPointer(bitPattern: buffer.handle)
        let failed = mprotect(memory, size(buffer.byteCount), access) != 0
        precondition(!failed, "mprotect: \(errno)")
    }

    private static func size(_ byteCount: Int) -> Int {
        (max(byteCount, 1) + page - 1) / page * page
    }
}
