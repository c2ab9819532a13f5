//! Embeds the icon and the version resource into the Windows executable.

fn main() {
    println!("cargo:rerun-if-changed=assets/whydll.ico");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_none() {
        return;
    }
    let mut resource = winresource::WindowsResource::new();
    resource.set_icon("assets/whydll.ico");
    resource.set("ProductName", "WhyDLL");
    resource.set("FileDescription", "WhyDLL: why an import fails on Windows");
    resource.set("OriginalFilename", "whydll.exe");
    resource.set("LegalCopyright", "MIT or Apache-2.0");
    // The program works without them, so a missing resource compiler is only a warning.
    if let Err(error) = resource.compile_for("whydll") {
        println!("cargo:warning=whydll.exe gets no icon and no version resource: {error}");
    }
}
