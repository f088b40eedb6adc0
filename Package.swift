// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: the strictest the compiler offers, so that the word `unsafe` lists the whole
/// unsafe surface and no warning survives.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTP2: Target.Dependency = .product(name: "NIOHTTP2", package: "swift-nio-http2")
let nioHTTPCompression: Target.Dependency = .product(name: "NIOHTTPCompression", package: "swift-nio-extras")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioHPACK: Target.Dependency = .product(name: "NIOHPACK", package: "swift-nio-http2")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let certificates: Target.Dependency = .product(name: "X509", package: "swift-certificates")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let asn1: Target.Dependency = .product(name: "SwiftASN1", package: "swift-asn1")
let serviceLifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")

/// A Swift library or executable of this package with the house settings.
func module(_ name: String, _ dependencies: [Target.Dependency] = [], plugins: [Target.PluginUsage] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict, plugins: plugins)
}

func tests(
    _ name: String, path: String? = nil, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: strict)
}

// Layer 0: values. Layer 1: pure logic. Layer 2: edges. Layer 3: composition. Layer 4: executables.
// A target depends on its own layer and those below, never upwards; ARCHITECTURE.md says what lives where.
let valueTargets: [Target] = [
    .target(name: "CDatapathABI", path: "bpf/abi", publicHeadersPath: "."),
    module("NetworkModel"),
    module("IdentityModel", ["NetworkModel"]),
    module("PolicyModel", ["NetworkModel", "IdentityModel"]),
    module("EventModel", ["NetworkModel", "IdentityModel"]),
    module("DetectionModel", ["NetworkModel"]),
    module("ClusterModel", ["NetworkModel", "IdentityModel"]),
]

let logicTargets: [Target] = [
    .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    module("PolicyReading", ["CLibYAML", "NetworkModel", "IdentityModel", "PolicyModel"]),
    module("IdentityAllocation", ["CDatapathABI", "NetworkModel", "IdentityModel", "PolicyModel"]),
    module("PolicyCompiler", ["NetworkModel", "IdentityModel", "PolicyModel"]),
    module("TableEncoding", ["CDatapathABI", "NetworkModel", "IdentityModel", "PolicyModel", "PolicyCompiler"]),
    module(
        "PolicyTesting",
        [
            "NetworkModel", "IdentityModel", "PolicyModel", "PolicyReading", "IdentityAllocation", "PolicyCompiler",
            "TableEncoding",
        ]),
    module("PrefixTables", ["CDatapathABI", "NetworkModel"]),
    .target(
        name: "CSensors", cSettings: [.headerSearchPath("../../bpf/lib"), .headerSearchPath("../../bpf/abi")]),
    module("Sensing", ["CSensors", "CDatapathABI", "NetworkModel", "DetectionModel"]),
    module("FeedReading", ["NetworkModel", "PrefixTables"]),
    module("CaptureReading"),
    module("KubernetesReading"),
    module("FirewallImport", ["NetworkModel", "PolicyModel", "PolicyReading"]),
    module("Detectors", ["NetworkModel", "DetectionModel"]),
    module("EventDecoding", ["CDatapathABI", "NetworkModel", "IdentityModel", "EventModel"]),
    module("FlowAggregation", ["NetworkModel", "IdentityModel", "PolicyModel", "EventModel"]),
    module("PolicyLog", ["NetworkModel", "IdentityModel", "PolicyModel", "EventModel", "FlowAggregation"]),
    module("AlertPipeline", ["NetworkModel", "DetectionModel"]),
    module("ResponseActions", ["NetworkModel", "DetectionModel"]),
    module("CNIPlugin"),
    module("Metrics"),
]

// Most of what tests compute is computed here: optimised in debug builds too, and with every assertion.
for target in valueTargets + logicTargets where target.swiftSettings != nil {
    target.swiftSettings?.append(.unsafeFlags(["-O", "-assert-config", "Debug"], .when(configuration: .debug)))
}

let edgeTargets: [Target] = [
    .systemLibrary(
        name: "CLibbpf", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev", "libelf-dev", "zlib1g-dev"])]),
    .target(name: "CLinuxShim", dependencies: ["CLibbpf"]),
    .plugin(name: "CompileKernelPrograms", capability: .buildTool()),
    module("KernelPrograms", plugins: ["CompileKernelPrograms"]),
    module("BPFRuntime", ["CLibbpf", "CLinuxShim", "CDatapathABI", "KernelPrograms"]),
    module(
        "KernelDatapath",
        [
            "BPFRuntime", "KernelPrograms", "CLinuxShim", "CDatapathABI", "NetworkModel", "IdentityModel",
            "PolicyModel", "PolicyCompiler", "PrefixTables", "TableEncoding", "EventModel", "EventDecoding",
            "DetectionModel", "Sensing",
        ]),
    module(
        "KernelPolicyTesting",
        [
            "BPFRuntime", "KernelPrograms", "CDatapathABI", "NetworkModel", "IdentityModel", "PolicyCompiler",
            "PolicyReading", "TableEncoding", "EventModel", "EventDecoding", "PolicyTesting",
        ]),
    module("LinuxHost", ["CLinuxShim", "NetworkModel"]),
    module(
        "ContainerRuntimes", ["NetworkModel", "IdentityModel", "LinuxHost", "LocalHTTP", nioCore, nioHTTP1, logging]),
    module("LocalHTTP", ["CLinuxShim", "LinuxHost", nioCore, nioPosix, nioHTTP1]),
    module(
        "KubernetesClient",
        [
            "KubernetesReading", "PolicyModel", "PolicyReading", "LinuxHost", httpClient, nioCore, nioPosix, nioHTTP1,
            nioHTTP2, nioSSL, logging,
        ]),
    module("CNIHost", ["CNIPlugin", "LinuxHost"]),
    module("ClusterSchema", ["ClusterModel", "IdentityModel", "NetworkModel"]),
    // Generated, so in the generator's style.
    .target(
        name: "EtcdProtocol", dependencies: [protobuf], exclude: ["etcd.proto"],
        swiftSettings: [.swiftLanguageMode(.v6)]),
    module(
        "ClusterStore",
        [
            "ClusterModel", "ClusterSchema", "EtcdProtocol", "LinuxHost", "NetworkModel", protobuf, nioCore, nioPosix,
            nioTLS, nioHTTP2,
            nioHPACK, nioSSL, logging,
        ]),
    module("AlertSinks", ["CLinuxShim", "NetworkModel", "DetectionModel", "AlertPipeline", "LinuxHost", "LocalHTTP"]),
]

let compositionTargets: [Target] = [
    module(
        "ControlAPI",
        [
            "NetworkModel", "IdentityModel", "PolicyModel", "EventModel", "DetectionModel", "AlertPipeline",
            "ResponseActions", "CNIPlugin", "LocalHTTP", "Metrics", nioCore, nioHTTP1,
        ]),
    module(
        "AgentCore",
        [
            "CDatapathABI", "NetworkModel", "IdentityModel", "PolicyModel", "EventModel", "PolicyReading",
            "DetectionModel", "Detectors", "FeedReading", "IdentityAllocation", "PrefixTables", "AlertPipeline",
            "ResponseActions", "AlertSinks", "PolicyCompiler", "TableEncoding", "FlowAggregation", "PolicyLog",
            "KernelDatapath", "LinuxHost", "ContainerRuntimes", "ClusterModel", "ClusterSchema", "ClusterStore",
            "KubernetesClient",
            "CNIPlugin", "CNIHost", "LocalHTTP", "ControlAPI", "Metrics", "CLinuxShim", nioCore, nioHTTP1, logging,
            serviceLifecycle, unixSignals,
        ]),
    module(
        "ProgramVerification",
        [
            "BPFRuntime", "KernelPrograms", "CDatapathABI", "CLinuxShim", "NetworkModel", "IdentityModel",
            "PolicyCompiler", "TableEncoding", "KernelDatapath",
        ]),
    module(
        "Console",
        [
            "NetworkModel", "IdentityModel", "PolicyModel", "EventModel", "PolicyReading", "IdentityAllocation",
            "PolicyCompiler", "PolicyTesting", "FirewallImport", "KernelPolicyTesting", "ControlAPI", "DetectionModel",
            "AlertPipeline", "ResponseActions", "LocalHTTP", "LinuxHost", "CaptureReading", "Detectors", "Sensing",
            "KernelDatapath", "CNIPlugin", "CNIHost", "Metrics", argumentParser,
        ]),
]

let executableTargets: [Target] = [
    .executableTarget(
        name: "bulkhead-verify", dependencies: ["ProgramVerification", "BPFRuntime", "KernelPrograms", argumentParser],
        swiftSettings: strict),
    .executableTarget(name: "bulkhead", dependencies: ["Console", argumentParser], swiftSettings: strict),
    .executableTarget(name: "bulkhead-cni", dependencies: ["CNIPlugin", "CNIHost"], swiftSettings: strict),
    .executableTarget(
        name: "bulkhead-agent", dependencies: ["AgentCore", argumentParser, logging], swiftSettings: strict),
]

/// Measures the product side by side with its peers; not part of what is installed.
let benchmarkTargets: [Target] = [
    .target(name: "CBenchSupport", dependencies: ["CDatapathABI"], path: "Benchmarks/CBenchSupport"),
    .executableTarget(
        name: "bulkhead-bench",
        dependencies: [
            "CBenchSupport", "CDatapathABI", "CLinuxShim", "NetworkModel", "IdentityModel", "PolicyModel",
            "PolicyCompiler", "TableEncoding", "EventModel", "EventDecoding", "FlowAggregation", "KernelPrograms",
            "BPFRuntime", "LinuxHost", "PolicyReading", "PolicyTesting", "KernelPolicyTesting", "KernelDatapath",
            "AgentCore", "FeedReading", "PrefixTables", argumentParser,
        ],
        path: "Benchmarks/bulkhead-bench", exclude: ["BPF"], swiftSettings: strict,
        plugins: ["CompileKernelPrograms"]),
]

// Unit tests mirror Sources and need no root. One line each, in the order of the layers.
let unitTests: [Target] = [
    tests("NetworkModelTests", ["NetworkModel"]),
    tests("IdentityModelTests", ["IdentityModel"]),
    tests("PolicyModelTests", ["NetworkModel", "IdentityModel", "PolicyModel"]),
    tests("PolicyReadingTests", ["LinuxHost", "NetworkModel", "IdentityModel", "PolicyModel", "PolicyReading"]),
    tests("EventModelTests", ["EventModel"]),
    tests("ClusterModelTests", ["ClusterModel", "IdentityModel", "NetworkModel"]),
    tests("IdentityAllocationTests", ["NetworkModel", "IdentityModel", "PolicyModel", "IdentityAllocation"]),
    tests(
        "PolicyCompilerTests",
        [
            "LinuxHost", "NetworkModel", "IdentityModel", "PolicyModel", "IdentityAllocation", "PolicyCompiler",
            "PolicyOracle", "TableEncoding",
        ]),
    tests(
        "TableEncodingTests", ["CDatapathABI", "NetworkModel", "IdentityModel", "PolicyCompiler", "TableEncoding"]),
    tests("PrefixTablesTests", ["NetworkModel", "PrefixTables"]),
    tests("SensingTests", ["CDatapathABI", "DetectionModel", "NetworkModel", "Sensing"]),
    tests("DetectorsTests", ["DetectionModel", "Detectors", "NetworkModel", "Sensing"]),
    tests("FeedReadingTests", ["FeedReading", "NetworkModel", "PrefixTables"]),
    tests("CaptureReadingTests", ["CaptureReading"]),
    tests(
        "PolicyTestingTests",
        ["NetworkModel", "IdentityModel", "PolicyModel", "PolicyReading", "PolicyTesting"]),
    .target(
        name: "FirewallOracle",
        dependencies: ["FirewallImport", "NetworkModel", "PolicyCompiler", "PolicyModel", "PolicyReading"],
        path: "Tests/FirewallOracle", swiftSettings: strict),
    tests(
        "FirewallImportTests",
        [
            "FirewallImport", "FirewallOracle", "LinuxHost", "NetworkModel", "IdentityModel", "PolicyCompiler",
            "PolicyModel", "PolicyReading",
        ]),
    tests("EventDecodingTests", ["CDatapathABI", "NetworkModel", "IdentityModel", "EventModel", "EventDecoding"]),
    tests("FlowAggregationTests", ["NetworkModel", "IdentityModel", "EventModel", "FlowAggregation"]),
    tests(
        "PolicyLogTests",
        ["NetworkModel", "IdentityModel", "PolicyModel", "EventModel", "FlowAggregation", "PolicyLog"]),
    tests("AlertPipelineTests", ["AlertPipeline", "DetectionModel", "NetworkModel"]),
    tests("ResponseActionsTests", ["DetectionModel", "NetworkModel", "ResponseActions"]),
    tests("CNIPluginTests", ["CNIPlugin"]),
    tests("MetricsTests", ["Metrics"]),
    tests("CNIHostTests", ["CNIHost", "CNIPlugin", "LinuxHost", "LocalHTTP"]),
    tests(
        "ControlAPITests",
        [
            "AlertPipeline", "CNIPlugin", "ControlAPI", "DetectionModel", "LocalHTTP", "Metrics", "NetworkModel",
            "ResponseActions",
        ]),
    tests("LinuxHostTests", ["LinuxHost", "NetworkModel"]),
    .target(
        name: "KubernetesDouble",
        dependencies: [
            asn1, certificates, crypto, nioCore, nioHTTP1, nioHTTP2, nioHTTPCompression, nioPosix, nioSSL,
        ],
        path: "Tests/KubernetesDouble", swiftSettings: strict),
    .executableTarget(
        name: "kubernetes-double", dependencies: ["KubernetesDouble", argumentParser],
        path: "Tests/KubernetesDoubleServer", swiftSettings: strict),
    tests("ClusterSchemaTests", ["ClusterModel", "ClusterSchema", "IdentityModel", "NetworkModel"]),
    tests("ClusterStoreTests", ["ClusterModel", "ClusterSchema", "ClusterStore", "EtcdProtocol", nioCore]),
    tests(
        "KubernetesClientTests",
        [
            "KubernetesClient", "KubernetesReading", "KubernetesDouble", "LinuxHost", nioCore, nioPosix, nioHTTP1,
            nioHTTP2, nioSSL,
        ]),
    tests("KubernetesConformanceTests", ["KubernetesClient", "KubernetesReading", "KubernetesDouble"]),
    tests(
        "KubernetesDoubleTests", ["KubernetesDouble", httpClient, nioCore, nioHTTP1, nioPosix, nioSSL]),
    tests("LocalHTTPTests", ["LocalHTTP", "LinuxHost"]),
    tests(
        "AlertSinksTests",
        ["AlertSinks", "AlertPipeline", "DetectionModel", "LinuxHost", "LocalHTTP", "NetworkModel"]),
    tests("ContainerRuntimesTests", ["ContainerRuntimes", "IdentityModel", "LinuxHost", "NetworkModel"]),
    tests(
        "ExamplesTests",
        ["NetworkModel", "IdentityModel", "PolicyModel", "PolicyReading", "PolicyCompiler", "PolicyTesting"],
        exclude: ["Golden"]),
    tests(
        "AgentCoreTests",
        [
            "AgentCore", "AlertPipeline", "AlertSinks", "CNIHost", "CNIPlugin", "ClusterModel", "ClusterSchema",
            "ClusterStore",
            "ContainerRuntimes",
            "DetectionModel",
            "Detectors", "FeedReading",
            "LinuxHost", "ControlAPI", "FlowAggregation", "ResponseActions",
            "IdentityAllocation",
            "IdentityModel", "KubernetesClient", "KubernetesDouble", "LocalHTTP", "Metrics", "PolicyLog",
            "KernelDatapath", "NetworkModel",
            "PolicyModel", "PolicyCompiler", "PolicyOracle", "PolicyReading", "EventModel", "TableEncoding", logging,
        ]),
    tests(
        "ConsoleTests",
        [
            "AlertPipeline", "CNIPlugin", "CaptureReading", "Console", "ControlAPI", "DetectionModel", "Detectors",
            "IdentityModel",
            "NetworkModel", "PolicyReading", "PolicyTesting", argumentParser,
        ]),
    tests("ProgramVerificationTests", ["ProgramVerification"]),
    tests("TidyTests", []),
]

// Tests against the running kernel; they need root and fail without it.
let kernelTests: [Target] = [
    .target(
        name: "CParserHarness", path: "Tests/ParserHarness",
        cSettings: [.headerSearchPath("../../bpf/lib"), .headerSearchPath("../../bpf/abi")]),
    tests(
        "DatapathTests", path: "DatapathTests",
        [
            "BPFRuntime", "CDatapathABI", "CLinuxShim", "CParserHarness", "DetectionModel", "EventDecoding",
            "EventModel", "FeedReading", "IdentityModel", "KernelDatapath", "KernelPrograms", "KernelTesting",
            "NetworkModel", "PolicyCompiler", "PrefixTables", "Sensing", "TableEncoding",
        ]),
    .target(
        name: "KernelTesting", dependencies: ["BPFRuntime", "CLinuxShim"], path: "Tests/KernelTesting",
        swiftSettings: strict),
    .testTarget(
        name: "BPFRuntimeTests", dependencies: ["BPFRuntime", "KernelPrograms", "KernelTesting"],
        exclude: ["BPF"], swiftSettings: strict, plugins: ["CompileKernelPrograms"]),
    .testTarget(
        name: "KernelDatapathTests",
        dependencies: [
            "BPFRuntime", "CDatapathABI", "EventModel", "IdentityModel", "KernelDatapath", "KernelPrograms",
            "KernelTesting", "LinuxHost", "NetworkModel", "PolicyCompiler",
        ],
        exclude: ["BPF"], swiftSettings: strict, plugins: ["CompileKernelPrograms"]),
    .target(
        name: "PolicyOracle",
        dependencies: [
            "IdentityModel", "NetworkModel", "PolicyCompiler", "PolicyModel", "PolicyReading", "PolicyTesting",
        ],
        path: "Tests/PolicyOracle", swiftSettings: strict),
    .executableTarget(
        name: "fuzz-policies", dependencies: ["KernelPolicyTesting", "PolicyOracle", "PolicyTesting", argumentParser],
        path: "Fuzz/Policies", swiftSettings: strict),
    tests(
        "KernelPolicyTestingTests",
        [
            "IdentityModel", "KernelPolicyTesting", "NetworkModel", "PolicyCompiler", "PolicyModel", "PolicyOracle",
            "PolicyReading", "PolicyTesting",
        ]),
]

// Real kernel, real containers, as root, inside namespaces of their own. TestBed makes and removes what they need.
let integrationTests: [Target] = [
    .target(name: "TestBed", dependencies: ["LinuxHost"], path: "IntegrationTests/TestBed", swiftSettings: strict),
    tests("TestBedTests", path: "IntegrationTests/TestBedTests", ["TestBed"]),
    tests(
        "AgentIntegrationTests", path: "IntegrationTests/AgentIntegrationTests",
        [
            "AlertPipeline", "BPFRuntime", "CDatapathABI", "CNIPlugin", "ControlAPI", "KernelPrograms", "LinuxHost",
            "TestBed",
        ]),
    tests(
        "ContainerRuntimesIntegrationTests", path: "IntegrationTests/ContainerRuntimesIntegrationTests",
        ["ContainerRuntimes", "IdentityModel", "LinuxHost", "NetworkModel", "TestBed", logging]),
    tests(
        "FirewallImportIntegrationTests", path: "IntegrationTests/FirewallImportIntegrationTests",
        [
            "FirewallImport", "FirewallOracle", "LinuxHost", "NetworkModel", "PolicyCompiler", "PolicyModel",
            "PolicyReading", "TestBed",
        ]),
    tests(
        "ClusterStoreIntegrationTests", path: "IntegrationTests/ClusterStoreIntegrationTests",
        ["ClusterModel", "ClusterSchema", "ClusterStore", "IdentityModel", "NetworkModel", "TestBed", logging]),
    tests(
        "DeploymentTests", path: "IntegrationTests/DeploymentTests",
        [
            "AgentCore", "ClusterModel", "IdentityModel", "KubernetesClient", "LinuxHost", "NetworkModel",
            "PolicyReading", "TestBed",
        ]),
    tests(
        "LinuxHostIntegrationTests", path: "IntegrationTests/LinuxHostIntegrationTests", ["LinuxHost", "TestBed"]),
]

/// A fuzz target of Fuzz/; libFuzzer brings the main function.
func fuzz(_ name: String, _ folder: String, _ dependency: Target.Dependency) -> Target {
    .executableTarget(
        name: name, dependencies: ["FuzzDriver", dependency], path: "Fuzz/\(folder)",
        swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])])
}

// Only where scripts/fuzz asks for them: an ordinary build could not link them.
let fuzzTargets: [Target] =
    Context.environment["BULKHEAD_FUZZ"] == nil
    ? []
    : [
        .target(name: "FuzzDriver", path: "Fuzz/Driver"),
        fuzz("fuzz-event-decoder", "EventDecoder", "EventDecoding"),
        fuzz("fuzz-policy-reader", "PolicyReader", "PolicyReading"),
        fuzz("fuzz-firewall-import", "FirewallImport", "FirewallImport"),
        fuzz("fuzz-feed-reader", "FeedReader", "FeedReading"),
        fuzz("fuzz-capture-reader", "CaptureReader", "CaptureReading"),
        fuzz("fuzz-store-values", "StoreValues", "ClusterSchema"),
        fuzz("fuzz-kubernetes-reader", "KubernetesReader", "KubernetesReading"),
    ]

let package = Package(
    name: "bulkhead",
    products: [
        .executable(name: "bulkhead", targets: ["bulkhead"]),
        .executable(name: "bulkhead-agent", targets: ["bulkhead-agent"]),
        .executable(name: "bulkhead-cni", targets: ["bulkhead-cni"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        // Its traits would bring all of Foundation.
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: valueTargets + logicTargets + edgeTargets + compositionTargets + executableTargets + benchmarkTargets
        + unitTests + kernelTests + integrationTests + fuzzTargets
)
