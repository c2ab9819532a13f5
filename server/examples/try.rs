use whydll::{cpython::*, environment::*, host::*, plan::*};
use std::sync::Arc;
fn main() {
    std::thread::Builder::new().stack_size(whydll::source::STACK).spawn(run).unwrap().join().unwrap();
}
fn run() {
    let a: Vec<String> = std::env::args().collect();
    let cache = Arc::new(FactCache::open(std::path::Path::new("/tmp/factcache")));
    let t = std::time::Instant::now();
    let host = Host::named(&a[1], cache.clone()).unwrap();
    let path = host.path_of(std::path::Path::new(&a[2]));
    let env = Environment::at(&path, &*host.files).unwrap();
    eprintln!("{:?} {} {} {} {:?}", env.kind, env.version, env.interpreter, env.application_directory, t.elapsed());
    let finder = Finder::new(&env, &*host.files);
    let interp = Interpreter::start(&host, &env).unwrap();
    let mut plan = Plan::new(interp, finder);
    let out = plan.import(&a[3]);
    eprintln!("{:?}", t.elapsed());
    let mut n=[0;6];
    for s in plan.steps() { match &s.event {
        Event::Module{..} => n[0]+=1,
        Event::Extension{name, loaded,..} => {n[1]+=1; println!("ext {name} {loaded} <- {}", s.at)},
        Event::Library{name, loaded} => println!("lib {name} {loaded} <- {}", s.at),
        Event::DirectoryAdded(d) => println!("dir {d} <- {}", s.at),
        Event::Unknown(w) => println!("?? {w} <- {:?}", s.at.file.as_ref().map(|f|f.as_str().to_owned())),
    } }
    println!("modules {} ext {}", n[0], n[1]);
    for f in plan.failures() { println!("FAIL {:#?}", f); }
    println!("{:#?} complete {}", out, plan.is_complete());
    cache.store(std::path::Path::new("/tmp/factcache")).unwrap();
    eprintln!("{:?}", t.elapsed());
}
