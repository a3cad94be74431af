import Base
import Glibc

/// The `process_*` metrics that every Prometheus library shows, read from /proc when asked for.
package struct ProcessMetrics: MetricsSource {
    package init() {}

    package func write(to text: inout MetricsText) {
        let reading = ProcessReading.now()
        write(
            &text, "process_cpu_seconds_total", .counter, "CPU time, user and system.",
            reading.cpuSeconds)
        write(
            &text, "process_resident_memory_bytes", .gauge, "Resident memory.",
            reading.residentBytes)
        write(
            &text, "process_virtual_memory_bytes", .gauge, "Virtual memory.",
            reading.virtualBytes)
        write(&text, "process_open_fds", .gauge, "Open file descriptors.", reading.filesOpen)
        write(&text, "process_max_fds", .gauge, "File descriptors allowed.", reading.filesMax)
        write(&text, "process_threads", .gauge, "Threads.", reading.threads)
        write(
            &text, "process_start_time_seconds", .gauge, "Start, in seconds since 1970.",
            reading.startUnixSeconds)
    }

    private func write(
        _ text: inout MetricsText, _ name: String, _ kind: MetricsText.Kind, _ help: String,
        _ value: Double?
    ) {
        guard let value else { return }
        text.metric(name, kind, help: help)
        text.sample(name, [], value)
    }
}

/// What the kernel says of this process; nil where it does not.
struct ProcessReading: Sendable {
    var cpuSeconds, residentBytes, virtualBytes, threads, startUnixSeconds: Double?
    var filesOpen, filesMax: Double?

    static func now() -> ProcessReading {
        var reading = ProcessReading(
            stat: readSmallFile("/proc/self/stat"), systemStat: readSmallFile("/proc/stat"),
            ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))),
            pageBytes: Double(sysconf(Int32(_SC_PAGESIZE))))
        reading.filesOpen = countOpenFiles()
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            reading.filesMax = Double(limit.rlim_cur)
        }
        return reading
    }

    /// - Parameters:
    ///   - stat: the text of /proc/self/stat; its second field may hold spaces and parentheses
    ///   - systemStat: the text of /proc/stat, for the time of boot
    init(stat: String, systemStat: String, ticksPerSecond: Double, pageBytes: Double) {
        guard let close = stat.lastIndex(of: ")") else { return }
        // The first of these is field 3 of proc(5).
        let fields = stat[stat.index(after: close)...].split(separator: " ")
        func field(_ number: Int) -> Double? {
            fields.indices.contains(number - 3) ? Double(fields[number - 3]) : nil
        }
        if let user = field(14), let system = field(15) {
            cpuSeconds = (user + system) / ticksPerSecond
        }
        threads = field(20)
        virtualBytes = field(23)
        residentBytes = field(24).map { $0 * pageBytes }
        let boot = systemStat.split(separator: "\n").first { $0.hasPrefix("btime ") }
        if let boot, let bootSeconds = Double(boot.dropFirst(6)), let started = field(22) {
            startUnixSeconds = bootSeconds + started / ticksPerSecond
        }
    }

    private static func countOpenFiles() -> Double? {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        return Double(count - 3)  // ".", "..", and the descriptor of the folder itself
    }
}

/// A file of the kernel as text; empty if it cannot be read.
private func readSmallFile(_ path: String) -> String {
    guard case .success(let bytes) = SmallFile.read(path) else { return "" }
    return String(decoding: bytes, as: UTF8.self)
}
