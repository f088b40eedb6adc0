// SPDX-License-Identifier: Apache-2.0

import CBenchSupport
import CLinuxShim
import Glibc
import LinuxHost

/// Where a measurement runs: namespaces and CPU are properties of a thread, so each gets a fresh one.
enum BenchThread {
    /// The CPU that generates and judges packets; everything else keeps to the other one.
    static let measuringCPU = 0
    static let helperCPU = 1

    enum Namespace: Sendable {
        case current
        case named(String)
        /// A new one with only a loopback device; it ends with the thread.
        case fresh
    }

    /// Runs `body` on a fresh thread in `namespace`, kept on `cpu`, and returns what it returns.
    static func run<Value>(
        in namespace: Namespace = .current, cpu: Int? = measuringCPU, _ body: @escaping () throws -> Value
    ) throws -> Value {
        let task = Task(namespace: namespace, cpu: cpu, body: body)
        let thread = try start(task.run)
        pthread_join(thread, nil)
        guard let result = task.result else { throw BenchError("a measuring thread ended without a result") }
        return try result.get()
    }

    /// Starts `body` on a fresh thread; join it with the returned value.
    static func start(_ body: @escaping () -> Void) throws -> pthread_t {
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(Box(body)).toOpaque()
        let error = unsafe pthread_create(
            &thread, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                unsafe Unmanaged<Box>.fromOpaque(raw).takeRetainedValue().body()
                return nil
            }, box)
        guard error == 0 else { throw BenchError("cannot start a thread: errno \(error)") }
        return thread
    }

    private final class Box {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }

    private final class Task<Value> {
        let namespace: Namespace
        let cpu: Int?
        let body: () throws -> Value
        private(set) var result: Result<Value, any Error>?

        init(namespace: Namespace, cpu: Int?, body: @escaping () throws -> Value) {
            self.namespace = namespace
            self.cpu = cpu
            self.body = body
        }

        func run() {
            result = Result {
                try enter(namespace)
                if let cpu { try pinCurrent(to: cpu) }
                return try body()
            }
        }
    }

    private static func enter(_ namespace: Namespace) throws {
        switch namespace {
        case .current: break
        case .named(let name):
            let namespace = try NetworkNamespace.path("/run/netns/" + name).open()
            guard bulkhead_enter_network_namespace(namespace.rawValue) == 0 else {
                throw BenchError("cannot enter network namespace \(name): errno \(errno); run as root")
            }
        case .fresh: try check(bulkhead_unshare_network_namespace(), "make a network namespace")
        }
    }

    /// Keeps the calling thread on one CPU.
    static func pinCurrent(to cpu: Int) throws {
        try check(bench_pin_thread(Int32(cpu)), "keep a thread on CPU \(cpu)")
    }

    private static func check(_ error: Int32, _ action: String) throws {
        guard error == 0 else { throw BenchError("cannot \(action): errno \(-error); run as root") }
    }
}
