import Messages
import Resources
import Storage

extension Jobs {
    /// `ListJobs`. A server sees thousands of jobs, not millions: all are read, chosen and sorted,
    /// and a page is cut.
    func list(_ request: ListJobsRequest) async throws -> ListJobsResponse {
        let filter = try Filter(request.filter, kind: Self.field)
        let order = try PageOrder(
            request.orderBy, allowed: ["create_time", "end_time", "state"],
            standard: "create_time", descending: true)
        let mark = "jobs|\(request.filter)|\(request.orderBy)"
        let after = try PageToken(request.pageToken, for: mark)
        let size = PageSize(request.pageSize).count
        return try await store.reader.read { db in
            let all = try db.jobs("").filter { job in
                filter.matches { Self.value(of: $0, in: job) }
            }
            let sorted = all.sorted { a, b in
                let (first, second) = order.isDescending ? (b, a) : (a, b)
                return (first.key(order), first.id) < (second.key(order), second.id)
            }
            let start = after.map { token in
                (sorted.firstIndex { $0.id == token.id } ?? sorted.count - 1) + 1
            }
            let page = sorted.dropFirst(start ?? 0).prefix(size)
            var response = ListJobsResponse()
            response.jobs = try page.map { try db.message(of: $0) }
            if let last = page.last, page.endIndex < sorted.endIndex {
                response.nextPageToken = PageToken(key: "", id: last.id).text(for: mark)
            }
            return response
        }
    }

    private static func field(_ name: String) -> FilterKind? {
        switch name {
        case "state": .choice(JobState.allKnown.map(\.plainName))
        case "work", "model", "dataset_version", "author": .text
        case "create_time": .time
        default: name.hasPrefix("labels.") ? .text : nil
        }
    }

    private static func value(of field: String, in job: JobRecord) -> FilterValue {
        switch field {
        case "state": .text(job.state.plainName)
        case "work": .text(job.stored.spec?.workName ?? "")
        case "model": .text(job.stored.spec?.modelName ?? "")
        case "dataset_version": .text(job.stored.spec?.versionName ?? "")
        case "author": .text(job.author)
        case "create_time": .number(Double(job.createNanoseconds))
        default: job.stored.labels[String(field.dropFirst(7))].map { .text($0) } ?? .none
        }
    }
}

extension JobRecord {
    fileprivate func key(_ order: PageOrder) -> Int64 {
        switch order.field {
        case "end_time": endNanoseconds
        case "state": Int64(state.rawValue)
        default: createNanoseconds
        }
    }
}

extension JobSpec {
    /// As filters name it.
    var workName: String {
        switch work {
        case .train?: "train"
        case .baseline?: "baseline"
        case .evaluate?: "evaluate"
        case .quantize?: "quantize"
        case .merge?: "merge"
        case nil: ""
        }
    }

    /// "models/{model}"
    var modelName: String {
        switch work {
        case .train(let spec)?: spec.model
        case .baseline(let spec)?: spec.model
        case .evaluate(let spec)?: spec.target?.model ?? ""
        case .quantize(let spec)?: spec.model
        case .merge(let spec)?: spec.model
        case nil: ""
        }
    }

    /// "datasets/{dataset}/versions/{version}"
    var versionName: String {
        switch work {
        case .train(let spec)?: spec.datasetVersion
        case .baseline(let spec)?: spec.datasetVersion
        case .evaluate(let spec)?: spec.datasetVersion
        case .quantize(let spec)?: spec.calibrationVersion
        case .merge(let spec)?: spec.checkVersion
        case nil: ""
        }
    }
}
