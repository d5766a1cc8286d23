"""What systemd has and superd has not: the settings of a unit that have no equal, and why."""

NO_EQUAL = {  # section: {why: keys}; Exec is what both sections share
    "Socket": {
        "superd listens on sockets only": """ListenFIFO ListenSpecial ListenNetlink ListenMessageQueue
            ListenUSBFunction Writable PipeSize MessageQueueMaxMessages MessageQueueMessageSize""",
        "superd does not set this option of a socket": """KeepAliveTimeSec KeepAliveIntervalSec
            KeepAliveProbes Priority IPTOS IPTTL Mark ReusePort SmackLabel SmackLabelIPIn
            SmackLabelIPOut SELinuxContextFromNet Transparent Broadcast PassCredentials PassPIDFD
            PassSecurity PassPacketInfo PassFileDescriptorsToExec AcceptFileDescriptors Timestamping
            TCPCongestion DeferTrigger DeferTriggerMaxSec XAttrEntryPoint XAttrListen XAttrAccept""",
        "superd runs no other commands": """ExecStartPre ExecStartPost ExecStopPre ExecStopPost
            TimeoutSec""",
        "superd makes neither folders nor links": "DirectoryMode Symlinks",
        "superd removes the path of its socket when it stops": "RemoveOnStop",
        "what waits is served when the handler has exited": "FlushPending",
        "superd never pauses a socket for its rate; see rate": "PollLimitIntervalSec PollLimitBurst",
    },
    "Service": {
        "superd runs no other commands": """ExecCondition ExecStartPre ExecStartPost ExecReload ExecStop
            ExecStopPost ExecReloadPost TimeoutStartSec TimeoutStartFailureMode RemainAfterExit
            GuessMainPID PIDFile BusName ReloadSignal""",
        "superd starts a handler for a client, and starts none again": """Restart RestartSec RestartSteps
            RestartMaxDelaySec RestartMode RestartPreventExitStatus RestartForceExitStatus
            RestartKillSignal StartLimitInterval StartLimitBurst StartLimitAction StartLimitIntervalSec""",
        "superd only logs how a handler ended": """SuccessExitStatus ExitType OOMPolicy FailureAction
            RebootArgument""",
        "superd has neither watchdog nor notification": """WatchdogSec WatchdogSignal NotifyAccess
            FileDescriptorStoreMax FileDescriptorStorePreserve""",
        "superd waits for the first process only": "TimeoutAbortSec TimeoutStopFailureMode",
        "superd's timeout is the same for all": "RuntimeRandomizedExtraSec",
        "sockets are named by the socket unit": "Sockets",
        "superd has no USB functions": "USBFunctionDescriptors USBFunctionStrings",
        "the whole service is in the chroot": "RootDirectoryStartOnly",
        "a handler opens its own files": "OpenFile",
        "connections are blocking": "NonBlocking",
    },
    "Exec": {
        "superd does not confine a handler so": """RootImage RootImageOptions RootImagePolicy RootHash
            RootHashSignature RootVerity RootEphemeral MountAPIVFS ProtectProc ProcSubset BindPaths
            BindReadOnlyPaths MountImages MountImagePolicy ExtensionImages ExtensionImagePolicy
            ExtensionDirectories BindLogSockets CapabilityBoundingSet AmbientCapabilities SecureBits
            ProtectSystem ProtectHome ReadWritePaths ReadOnlyPaths InaccessiblePaths ExecPaths NoExecPaths
            TemporaryFileSystem PrivateTmp PrivateDevices PrivateNetwork NetworkNamespacePath PrivateIPC
            PrivatePIDs IPCNamespacePath MemoryKSM PrivateUsers ProtectHostname ProtectClock
            ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups
            RestrictAddressFamilies RestrictFileSystems RestrictNamespaces LockPersonality
            MemoryDenyWriteExecute RestrictRealtime RestrictSUIDSGID RemoveIPC PrivateMounts MountFlags
            SystemCallFilter SystemCallErrorNumber SystemCallArchitectures SystemCallLog KeyringMode
            Personality ReadWriteDirectories ReadOnlyDirectories InaccessibleDirectories
            DevicePolicy DeviceAllow""",
        "superd sets no labels": "SELinuxContext AppArmorProfile SmackProcessLabel",
        "superd opens no PAM session": "PAMName UtmpIdentifier UtmpMode",
        "superd makes no folders": """RuntimeDirectory StateDirectory CacheDirectory LogsDirectory
            ConfigurationDirectory RuntimeDirectoryMode StateDirectoryMode CacheDirectoryMode
            LogsDirectoryMode ConfigurationDirectoryMode RuntimeDirectoryPreserve TimeoutCleanSec""",
        "superd does not set this of a process": """CoredumpFilter OOMScoreAdjust TimerSlackNSec
            CPUSchedulingPolicy CPUSchedulingPriority CPUSchedulingResetOnFork CPUAffinity NUMAPolicy
            NUMAMask IOSchedulingClass IOSchedulingPriority LimitRSS LimitLOCKS LimitSIGPENDING
            LimitMSGQUEUE LimitNICE LimitRTPRIO LimitRTTIME SetLoginEnvironment""",
        "a handler has every signal at its default": "IgnoreSIGPIPE",
        "superd looks for programs in its own PATH": "ExecSearchPath",
        "a handler has no terminal": """TTYPath TTYReset TTYVHangup TTYRows TTYColumns
            TTYVTDisallocate""",
        "superd feeds a handler nothing": "StandardInputText StandardInputData",
        "superd has one log for all services": """LogLevelMax LogExtraFields LogFilterPatterns
            LogRateLimitIntervalSec LogRateLimitBurst LogNamespace SyslogIdentifier SyslogFacility
            SyslogLevel SyslogLevelPrefix""",
        "superd keeps no credentials": """LoadCredential LoadCredentialEncrypted ImportCredential
            SetCredential SetCredentialEncrypted""",
        "superd's environment is clean": "UnsetEnvironment",
        "superd has no limits of a control group; see rlimits": """CPUAccounting CPUWeight
            StartupCPUWeight CPUQuota CPUQuotaPeriodSec AllowedCPUs StartupAllowedCPUs
            AllowedMemoryNodes StartupAllowedMemoryNodes MemoryAccounting MemoryMin MemoryLow MemoryHigh
            MemoryMax MemorySwapMax MemoryZSwapMax MemoryLimit TasksAccounting TasksMax IOAccounting
            IOWeight StartupIOWeight IODeviceWeight IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax
            IOWriteIOPSMax IODeviceLatencyTargetSec IPAccounting IPIngressFilterPath IPEgressFilterPath
            BPFProgram SocketBindAllow SocketBindDeny RestrictNetworkInterfaces Slice Delegate
            DelegateSubgroup DisableControllers ManagedOOMSwap ManagedOOMMemoryPressure
            ManagedOOMMemoryPressureLimit ManagedOOMPreference MemoryPressureWatch
            MemoryPressureThresholdSec CPUShares BlockIOWeight""",
        "superd ends with SIGTERM, then SIGKILL": """RestartKillSignal SendSIGHUP FinalKillSignal
            CoredumpReceive""",
    },
    "Unit": {
        "superd checks no conditions: the service is always there": "(Condition|Assert)[A-Za-z]+",
        "superd knows no other units": """Wants Requires Requisite BindsTo PartOf Upholds Conflicts Before
            After OnFailure OnSuccess PropagatesReloadTo ReloadPropagatedFrom PropagatesStopTo
            StopPropagatedFrom JoinsNamespaceOf RequiresMountsFor WantsMountsFor OnSuccessJobMode
            OnFailureJobMode IgnoreOnIsolate StopWhenUnneeded RefuseManualStart RefuseManualStop
            AllowIsolate DefaultDependencies SurviveFinalKillSignal CollectMode FailureAction
            SuccessAction FailureActionExitStatus SuccessActionExitStatus JobTimeoutSec
            JobRunningTimeoutSec JobTimeoutAction JobTimeoutRebootArgument StartLimitIntervalSec
            StartLimitInterval StartLimitBurst StartLimitAction RebootArgument SourcePath""",
    },
    "Install": {"superd knows no other units": """Alias WantedBy RequiredBy UpheldBy Also
        DefaultInstance"""},
}
NOTES = ("superd knows no other units",)  # what nobody misses
