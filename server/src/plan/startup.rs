//! The code that runs before the program: lines in `.pth` files and `sitecustomize`
//! (`Lib/site.py`). Packages such as pywin32 add DLL directories there.

use super::frame::Frame;
use super::{Flow, Place, Plan};
use crate::environment::Note;
use crate::source;

impl Plan<'_> {
    /// Runs the startup code once. Python prints errors in it and continues, so failures prove
    /// nothing.
    pub(super) fn start_up(&mut self) {
        if std::mem::replace(&mut self.execution.started, true) {
            return;
        }
        for note in &self.world.environment().notes {
            match note {
                Note::PthCode { file, line, text, usual: false } => {
                    let script = source::lower_whole(text);
                    let module = self.add_module("site", Some(file.clone()), None, false);
                    let mut frame = Frame::of_module(module);
                    let place = Place { file: Some(file.clone()), line: *line };
                    if let Flow::Raise(_) = self.block(&script.body, &mut frame) {
                        self.step(
                            super::Event::Unknown("the line fails, and Python continues".to_owned()),
                            &place,
                        );
                    }
                    self.world.modules.remove("site");
                }
                Note::Customization { path } => {
                    let name = path.file_name().trim_end_matches(".py");
                    let _ = self.run_module(name, path.clone(), None, &Place { file: None, line: 0 });
                }
                _ => {}
            }
        }
        for failure in &mut self.trace.failures {
            failure.uncertain = true;
        }
    }
}
