//! Gives the Windows program its icon, and the version that its properties show.

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
    // Windows shows the program without them as well, so a missing resource compiler is told and no more.
    if let Err(error) = resource.compile_for("whydll") {
        println!("cargo:warning=whydll.exe has neither icon nor version: {error}");
    }
}
