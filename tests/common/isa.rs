//! What AMD's compiler makes of shaders, without a card: Mesa's RADV opens a null device for a family of cards that is not there,
//! compiles for it, and says what each shader takes. A process compiles for one family, so a child does the work.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::process::Command;

use std::collections::{BTreeMap, HashSet};

use ash::vk;
use naga::back::spv;
use serde::{Deserialize, Serialize};
use wgvae::config::{Config, PRESETS};
use wgvae::data::Dataset;
use wgvae::model::Vae;
use wgvae_engine::exec::gpu::{Reflection, Slot, module};
use wgvae_engine::plan::Op;
use wgvae_engine::wgsl::{self, Capabilities, GemmVariant, Source, Target, TuningTable};

/// The folder that a child finds its work in.
const WORK: &str = "WGVAE_ISA_WORK";

/// A shader as the driver gets it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shader {
    entry: String,
    spirv: Vec<u32>,
    /// The binding of each buffer, and whether it is a uniform.
    bindings: Vec<(u32, bool)>,
}

impl Shader {
    /// The shader of a source, without checks, as a device compiles it.
    pub fn of(op: &Op, source: &Source) -> Result<Self, String> {
        let (name, entry) = (op.kernel.name(), op.kernel.entry());
        let (module, info) = module(&name, entry, source).map_err(|error| error.to_string())?;
        let options = spv::Options {
            lang_version: (1, 3),
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            force_loop_bounding: false,
            ..spv::Options::default()
        };
        let spirv = spv::write_vec(&module, &info, &options, None).map_err(|error| error.to_string())?;
        let reflection = Reflection::of(&name, entry, &module, &info).map_err(|error| error.to_string())?;
        let is_uniform = |slot: &Slot| matches!(slot, Slot::Uniform { .. });
        let bindings = reflection.slots.iter().map(|(binding, _, slot)| (*binding, is_uniform(slot))).collect();
        Ok(Self { entry: entry.to_string(), spirv, bindings })
    }
}

/// What a shader takes of a card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Vector registers of a lane.
    pub vgprs: u64,
    /// Registers of either kind that lie in memory.
    pub spilled: u64,
    /// Bytes of shared memory.
    pub shared: u64,
    /// Waves that a SIMD can hold.
    pub waves: u64,
    /// Instructions.
    pub instructions: u64,
    /// The most times that memory is waited for with no more than one load before each.
    pub waits: u64,
}

/// The shaders of all training steps of presets on a GPU, by the name of the kernel, or the variant of the product: the variants that are
/// taken by default, or all that there are.
pub fn of_presets(all_variants: bool) -> BTreeMap<String, Vec<Shader>> {
    let on = Capabilities::from(Target::Gpu);
    let mut shaders: BTreeMap<String, Vec<Shader>> = BTreeMap::new();
    let mut seen = HashSet::new();
    let variants = GemmVariant::ALL.iter().filter(|(_, variant)| all_variants && variant.runs_on(on));
    for (preset, _) in PRESETS {
        let config = Config::resolve(Some(preset), None, toml::Table::new()).expect("a preset");
        let source = &config.data.source;
        let mark = if source.contains(':') { ',' } else { ':' };
        let data = Dataset::load(format!("{source}{mark}count=400").as_str()).expect("a preset's data");
        let spec = config.vae_spec(data.shape).expect("a preset");
        let vae = Vae::new(&spec, &config.train_spec(), Config::data_spec(&data)).expect("a preset");
        for op in &vae.program.at(vae.plans.train).ops {
            // A variant that does not suit an op gives the default one again, so that one comes first.
            let tables = [TuningTable::default()].into_iter();
            let tables = tables.chain(variants.clone().map(|(_, variant)| TuningTable::all_of([op], *variant)));
            for table in tables.take(if op.kernel.gemm().is_some() { usize::MAX } else { 1 }) {
                for (pass, source) in wgsl::sources(op, on, &table).into_iter().enumerate() {
                    if seen.insert(source.text.clone()) {
                        let name = name(op, table.variant(op, on), pass);
                        shaders.entry(name).or_default().push(Shader::of(op, &source).expect("a valid shader"));
                    }
                }
            }
        }
    }
    shaders
}

/// The name of a kernel without its sizes.
fn name(op: &Op, variant: GemmVariant, pass: usize) -> String {
    let Some(gemm) = op.kernel.gemm() else {
        return format!("{}{}", op.kernel.name(), if pass > 0 { ", second pass" } else { "" });
    };
    if pass > 0 {
        return "gemm, second pass".into();
    }
    let windows = if gemm.windows.is_some() { " of windows" } else { "" };
    let name = GemmVariant::ALL.iter().find(|(_, known)| *known == variant).map_or("", |(name, _)| *name);
    format!("gemm.{}{windows} {name}", gemm.orientation.name())
}

impl Usage {
    /// The worst of several shaders, each by itself.
    pub fn worst(of: &[Self]) -> Self {
        let most = |number: fn(&Self) -> u64| of.iter().map(number).max().unwrap_or(0);
        Self {
            vgprs: most(|usage| usage.vgprs),
            spilled: most(|usage| usage.spilled),
            shared: most(|usage| usage.shared),
            waves: of.iter().map(|usage| usage.waves).min().unwrap_or(0),
            instructions: most(|usage| usage.instructions),
            waits: most(|usage| usage.waits),
        }
    }
}

/// What shaders take, in their order, and the driver that says so.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The driver and its version.
    pub driver: String,
    /// Of each shader.
    pub usages: Vec<Usage>,
}

/// The driver's manifest; none without RADV.
pub fn driver() -> Option<PathBuf> {
    let folder = Path::new("/usr/share/vulkan/icd.d");
    let mut manifests = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    manifests.find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("radeon_icd")))
}

/// Compiles shaders for a family of cards, such as `gfx1100`, in a child that calls [`child`].
pub fn compile(mut child: Command, family: &str, shaders: &[&Shader]) -> Result<Found, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let written = serde_json::to_vec(shaders).map_err(|error| error.to_string())?;
    std::fs::write(folder.path().join("shaders"), written).map_err(|error| error.to_string())?;
    let driver = driver().ok_or("there is no RADV")?;
    child.env(WORK, folder.path()).env("RADV_FORCE_FAMILY", family).env("VK_ICD_FILENAMES", driver);
    let output = child.env("RADV_DEBUG", "nocache").output().map_err(|error| error.to_string())?;
    let found =
        std::fs::read(folder.path().join("found")).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())?;
    serde_json::from_slice(&found).map_err(|error| error.to_string())
}

/// The work of a child; whether this process is one.
pub fn child() -> bool {
    let Some(folder) = std::env::var_os(WORK).map(PathBuf::from) else { return false };
    let shaders = std::fs::read(folder.join("shaders")).expect("the parent wrote them");
    let shaders: Vec<Shader> = serde_json::from_slice(&shaders).expect("the parent wrote them");
    let found = Driver::open().compile(&shaders);
    std::fs::write(folder.join("found"), serde_json::to_vec(&found).expect("numbers")).expect("a folder of the parent");
    true
}

/// A null device.
struct Driver {
    _entry: ash::Entry,
    name: String,
    device: ash::Device,
    executables: ash::khr::pipeline_executable_properties::Device,
}

#[allow(unsafe_code)]
impl Driver {
    fn open() -> Self {
        // SAFETY: the library is the system's Vulkan loader; all handles are of this instance and this device, which live as long as the
        // process; create infos and what they point to outlive the calls.
        unsafe {
            let entry = ash::Entry::load().expect("a Vulkan loader");
            let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
            let info = vk::InstanceCreateInfo::default().application_info(&application);
            let instance = entry.create_instance(&info, None).expect("RADV makes an instance");
            let physical = instance.enumerate_physical_devices().expect("a null device")[0];
            let mut driver = vk::PhysicalDeviceDriverProperties::default();
            let mut properties = vk::PhysicalDeviceProperties2::default().push_next(&mut driver);
            instance.get_physical_device_properties2(physical, &mut properties);
            let name = driver.driver_info_as_c_str().unwrap_or_default().to_string_lossy().into_owned();
            let queues = [vk::DeviceQueueCreateInfo::default().queue_family_index(0).queue_priorities(&[1.0])];
            let extensions = [ash::khr::pipeline_executable_properties::NAME.as_ptr()];
            let mut executable =
                vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default().pipeline_executable_info(true);
            let features = vk::PhysicalDeviceFeatures::default().shader_int64(true);
            let info = vk::DeviceCreateInfo::default()
                .queue_create_infos(&queues)
                .enabled_extension_names(&extensions)
                .enabled_features(&features)
                .push_next(&mut executable);
            let device = instance.create_device(physical, &info, None).expect("a null device");
            let executables = ash::khr::pipeline_executable_properties::Device::new(&instance, &device);
            Self { _entry: entry, name, device, executables }
        }
    }

    fn compile(&self, shaders: &[Shader]) -> Found {
        let usages = shaders.iter().map(|shader| self.usage(shader)).collect();
        Found { driver: self.name.clone(), usages }
    }

    fn usage(&self, shader: &Shader) -> Usage {
        // SAFETY: as above; the SPIR-V is valid, since naga wrote it.
        unsafe {
            let device = &self.device;
            let bindings: Vec<_> = shader
                .bindings
                .iter()
                .map(|(binding, is_uniform)| {
                    let kind = match is_uniform {
                        true => vk::DescriptorType::UNIFORM_BUFFER,
                        false => vk::DescriptorType::STORAGE_BUFFER,
                    };
                    vk::DescriptorSetLayoutBinding::default()
                        .binding(*binding)
                        .descriptor_type(kind)
                        .descriptor_count(1)
                        .stage_flags(vk::ShaderStageFlags::COMPUTE)
                })
                .collect();
            let info = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
            let sets = [device.create_descriptor_set_layout(&info, None).expect("a layout")];
            let info = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = device.create_pipeline_layout(&info, None).expect("a layout");
            let info = vk::ShaderModuleCreateInfo::default().code(&shader.spirv);
            let module = device.create_shader_module(&info, None).expect("a module");
            let name = CString::new(shader.entry.as_str()).expect("a name");
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&name);
            let flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR
                | vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
            let info = [vk::ComputePipelineCreateInfo::default().stage(stage).layout(layout).flags(flags)];
            let pipelines = device.create_compute_pipelines(vk::PipelineCache::null(), &info, None);
            let pipeline = pipelines.expect("a pipeline")[0];
            let usage = self.read(pipeline);
            device.destroy_pipeline(pipeline, None);
            device.destroy_shader_module(module, None);
            device.destroy_pipeline_layout(layout, None);
            device.destroy_descriptor_set_layout(sets[0], None);
            usage
        }
    }

    /// # Safety
    /// The pipeline is one of this device, made with its statistics.
    unsafe fn read(&self, pipeline: vk::Pipeline) -> Usage {
        let info = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline).executable_index(0);
        // SAFETY: see above.
        let statistics =
            unsafe { self.executables.get_pipeline_executable_statistics(&info) }.expect("RADV has statistics");
        let mut usage = Usage { waits: self.waits(&info), ..Usage::default() };
        for statistic in &statistics {
            let name = statistic.name_as_c_str().unwrap_or_default().to_string_lossy().into_owned();
            // SAFETY: RADV's statistics are whole numbers of 64 bits.
            let value = unsafe { statistic.value.u64 };
            if std::env::var_os("WGVAE_ISA_NAMES").is_some() {
                eprintln!("{name}: {value}");
            }
            match name.as_str() {
                "VGPRs" => usage.vgprs = value,
                "Spilled SGPRs" | "Spilled VGPRs" => usage.spilled += value,
                "LDS size" => usage.shared = value,
                "Subgroups per SIMD" => usage.waves = value,
                "Instructions" => usage.instructions = value,
                _ => {}
            }
        }
        usage
    }

    /// The longest run of waits for memory that have one load each, in the order of the text.
    fn waits(&self, info: &vk::PipelineExecutableInfoKHR<'_>) -> u64 {
        let call = self.executables.fp().get_pipeline_executable_internal_representations_khr;
        let mut count = 0;
        // SAFETY: the first call counts, the second says how long the texts are, the third writes them.
        let texts: Vec<Vec<u8>> = unsafe {
            let handle = self.executables.device();
            let _ = call(handle, info, &mut count, std::ptr::null_mut());
            let mut all = vec![vk::PipelineExecutableInternalRepresentationKHR::default(); count as usize];
            let _ = call(handle, info, &mut count, all.as_mut_ptr());
            let mut texts: Vec<Vec<u8>> = all.iter().map(|one| vec![0; one.data_size]).collect();
            for (one, text) in all.iter_mut().zip(&mut texts) {
                one.p_data = text.as_mut_ptr().cast();
            }
            let _ = call(handle, info, &mut count, all.as_mut_ptr());
            texts
        };
        let assembly = texts.last().and_then(|text| CStr::from_bytes_until_nul(text).ok());
        assembly.map_or(0, |text| waits(&text.to_string_lossy()))
    }
}

/// The longest run of waits for memory, each behind a single load.
fn waits(assembly: &str) -> u64 {
    let (mut longest, mut run, mut loads) = (0, 0, 0);
    for line in assembly.lines().map(str::trim_start) {
        if line.starts_with("buffer_load") || line.starts_with("global_load") {
            loads += 1;
        } else if line.starts_with("s_waitcnt") && line.contains("vmcnt(0)") && loads > 0 {
            run = if loads == 1 { run + 1 } else { 0 };
            longest = longest.max(run);
            loads = 0;
        }
    }
    longest
}
