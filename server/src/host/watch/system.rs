//! The differences between operating systems in notifications.

use std::path::Path;

#[cfg(windows)]
pub use registry::RegistryNotice;

/// A placeholder, because only Windows has a registry.
#[cfg(not(windows))]
pub struct RegistryNotice;

#[cfg(not(windows))]
impl RegistryNotice {
    pub fn new(_: impl Fn() + Send + 'static) -> Option<RegistryNotice> {
        None
    }
}

/// Whether other machines can change this directory without a notification. inotify(7) reports no
/// changes that another machine makes on a network drive, nor changes on a Windows drive that WSL
/// makes available to Linux (9p).
#[cfg(target_os = "linux")]
pub fn is_silent(folder: &Path) -> bool {
    // statfs(2), include/uapi/linux/magic.h: NFS, SMB, CIFS, SMB2, FUSE, 9p, shared folders of
    // VirtualBox and VMware, Ceph, AFS.
    const SILENT: [u32; 10] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x6573_5546,
        0x0102_1997,
        0x786f_4256,
        0xbacb_acbc,
        0x00c3_6400,
        0x5346_414f,
    ];
    // The numbers have 32 bits, whatever type this system uses for them.
    rustix::fs::statfs(folder).is_ok_and(|system| SILENT.contains(&(system.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
pub fn is_silent(_: &Path) -> bool {
    false
}

/// Whether WhyDLL runs under Wine. For a recursive watch, Wine only reports changes in the topmost
/// directory and in directories that are created later (server/change.c), so each directory must be
/// watched by itself, including new ones. Open directories don't hinder pip there.
#[cfg(windows)]
#[allow(unsafe_code)]
pub fn is_wine() -> bool {
    use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleA, GetProcAddress};
    // SAFETY: both names end in NUL, and ntdll.dll is never unloaded.
    unsafe {
        let ntdll = GetModuleHandleA(c"ntdll.dll".as_ptr().cast());
        !ntdll.is_null() && GetProcAddress(ntdll, c"wine_get_version".as_ptr().cast()).is_some()
    }
}

#[cfg(not(windows))]
pub fn is_wine() -> bool {
    false
}

/// Notifications about the registry keys of the VC++ runtimes.
#[cfg(windows)]
#[allow(unsafe_code)]
mod registry {
    use std::ptr::{null, null_mut};
    use std::sync::Arc;
    use std::thread::JoinHandle;

    use windows_sys::Win32::Foundation::{CloseHandle, ERROR_SUCCESS, HANDLE, WAIT_OBJECT_0};
    use windows_sys::Win32::System::Registry::{
        HKEY, HKEY_LOCAL_MACHINE, KEY_NOTIFY, KEY_WOW64_32KEY, KEY_WOW64_64KEY, REG_NOTIFY_CHANGE_LAST_SET,
        REG_NOTIFY_CHANGE_NAME, RegCloseKey, RegNotifyChangeKeyValue, RegOpenKeyExW,
    };
    use windows_sys::Win32::System::Threading::{CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects};

    /// The key where the redistributable registers itself, in the registry view of one of the two
    /// machines (Microsoft, "Redistributing Visual C++ Files"), and the key above it. The Boolean
    /// is whether all subkeys are watched, or only whether a key appears.
    const KEYS: [(&str, bool); 2] =
        [(r"SOFTWARE\Microsoft\VisualStudio", true), (r"SOFTWARE\Microsoft", false)];

    /// Calls a function at every change until it is dropped.
    pub struct RegistryNotice {
        stop: Arc<Event>,
        thread: Option<JoinHandle<()>>,
    }

    impl RegistryNotice {
        /// Starts watching. Returns `None` if the system refuses.
        pub fn new(report: impl Fn() + Send + 'static) -> Option<RegistryNotice> {
            let stop = Arc::new(Event::new()?);
            let stopped = stop.clone();
            let watch = move || {
                while wait(&stopped) == Some(true) {
                    report();
                }
            };
            let thread = std::thread::Builder::new().name("registry".to_owned()).spawn(watch).ok()?;
            Some(RegistryNotice { stop, thread: Some(thread) })
        }
    }

    impl Drop for RegistryNotice {
        fn drop(&mut self) {
            // SAFETY: the handle is open as long as `stop` lives.
            unsafe { SetEvent(self.stop.0) };
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
        }
    }

    /// Waits until something changes. Returns false if it was stopped, and `None` if nothing can be
    /// watched.
    fn wait(stopped: &Event) -> Option<bool> {
        let mut handles = vec![stopped.0];
        let views = [KEY_WOW64_64KEY, KEY_WOW64_32KEY];
        let watched: Vec<(Key, Event)> = views.iter().filter_map(|view| Key::watched(*view)).collect();
        handles.extend(watched.iter().map(|(_, changed)| changed.0));
        if watched.is_empty() {
            return None;
        }
        // SAFETY: all handles are open until the end of this function, and there are at most three.
        let which = unsafe { WaitForMultipleObjects(handles.len() as u32, handles.as_ptr(), 0, INFINITE) };
        Some(which != WAIT_OBJECT_0)
    }

    struct Key(HKEY);

    impl Key {
        fn watched(view: u32) -> Option<(Key, Event)> {
            KEYS.iter().find_map(|(name, below)| {
                let key = Key::open(name, view)?;
                let changed = Event::new()?;
                let what = REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET;
                // SAFETY: key and event are open.
                let error = unsafe { RegNotifyChangeKeyValue(key.0, i32::from(*below), what, changed.0, 1) };
                (error == ERROR_SUCCESS).then_some((key, changed))
            })
        }

        fn open(name: &str, view: u32) -> Option<Key> {
            let name: Vec<u16> = name.encode_utf16().chain([0]).collect();
            let mut key: HKEY = null_mut();
            // SAFETY: the name ends in NUL, and `key` receives the handle.
            let error =
                unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, name.as_ptr(), 0, KEY_NOTIFY | view, &mut key) };
            (error == ERROR_SUCCESS).then_some(Key(key))
        }
    }

    impl Drop for Key {
        fn drop(&mut self) {
            // SAFETY: the key was opened and is closed once.
            unsafe { RegCloseKey(self.0) };
        }
    }

    struct Event(HANDLE);

    // SAFETY: a kernel handle belongs to the process, not to a thread.
    unsafe impl Send for Event {}

    // SAFETY: as above, and the kernel synchronizes the operations of threads on it.
    unsafe impl Sync for Event {}

    impl Event {
        fn new() -> Option<Event> {
            // SAFETY: has no preconditions.
            let event = unsafe { CreateEventW(null(), 0, 0, null()) };
            (!event.is_null()).then_some(Event(event))
        }
    }

    impl Drop for Event {
        fn drop(&mut self) {
            // SAFETY: the handle was created by `new` and is closed once.
            unsafe { CloseHandle(self.0) };
        }
    }
}
