//! JSON objects of which every documented property is read in one pass.

/// Declares a JSON object's documented properties, once each: the field, and the name in JSON.
macro_rules! properties {
    (
        $(#[$doc:meta])*
        $object:ident {$(
            $(#[$about:meta])*
            $field:ident = $name:literal,
        )*}
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $object<'a> {
            $(
                $(#[$about])*
                pub $field: $crate::Property<'a>,
            )*
        }

        impl<'a> $object<'a> {
            /// Reads the object from a JSON body.
            ///
            /// # Errors
            ///
            /// Fails if the body is no JSON object.
            pub fn read(body: &'a [u8]) -> Result<$object<'a>, $crate::Unreadable> {
                let [$($field),*] = $crate::property::read(body, &[$($name),*])?;
                Ok($object { $($field),* })
            }

            /// Returns the same object, with copies of its texts.
            pub fn into_owned(self) -> $object<'static> {
                $object { $($field: self.$field.into_owned()),* }
            }
        }
    };
}

pub(crate) use properties;
