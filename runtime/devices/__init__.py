"""Devices: what the machine has, who uses it, and how a run takes its part. Never falls silently to the CPU."""

from runtime.devices.claims import (
    DeviceClaim,
    Framework,
    claim,
    default_lock_dir,
    verify_jax,
    verify_torch,
)
from runtime.devices.inventory import (
    FrameworkInfo,
    Gpu,
    GpuList,
    Inventory,
    gpu_names,
    inventory,
    list_gpus,
    memory_mib,
    probe_framework,
    thread_budget,
    usable_cpus,
)

__all__ = [
    "DeviceClaim",
    "Framework",
    "FrameworkInfo",
    "Gpu",
    "GpuList",
    "Inventory",
    "claim",
    "default_lock_dir",
    "gpu_names",
    "inventory",
    "list_gpus",
    "memory_mib",
    "probe_framework",
    "thread_budget",
    "usable_cpus",
    "verify_jax",
    "verify_torch",
]
